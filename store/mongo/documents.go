package mongo

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// documents are the rows of current documents, deleted ones too, and beside
// them the numbers of the commits that changed each. A row is written only
// over one of a lower rev, and a number once, so it does no harm when several
// write, or one writes late or again.
type documents struct {
	rows      *driver.Collection
	revisions *driver.Collection
}

func newDocuments(db *driver.Database) *documents {
	return &documents{db.Collection("documents"), db.Collection("revisions")}
}

// documentRow is a row of documents.
type documentRow struct {
	ID      documentID `bson:"_id"`
	Rev     int64      `bson:"r"`
	Scope   string     `bson:"s"`
	Deleted bool       `bson:"d"`
	Body    []byte     `bson:"b"`
	Marks   []byte     `bson:"m"`
	Sum     int64      `bson:"c"`
}

// write what the changes left.
func (d *documents) write(ctx context.Context, history string, changes []*listing.Change) error {
	var revisions []bson.D
	for part := range slices.Values(bySize(changes)) {
		models := make([]driver.WriteModel, len(part))
		for i, c := range part {
			models[i] = replaceOlder(history, c)
		}
		if _, err := writeAll(ctx, d.rows, models); err != nil {
			return fmt.Errorf("write documents: %w", err)
		}
	}
	for _, c := range changes {
		for _, n := range c.Numbers {
			revisions = append(revisions, bson.D{{Key: "_id", Value: revisionID{history, c.Key.Kind, c.Key.ID, int64(n)}}})
		}
	}
	if _, err := insertAll(ctx, d.revisions, revisions); err != nil {
		return fmt.Errorf("write revisions: %w", err)
	}
	return nil
}

// bySize parts changes into what may be sent at once.
func bySize(changes []*listing.Change) (parts [][]*listing.Change) {
	for from := 0; from < len(changes); {
		to, size := from, 0
		for ; to < len(changes) && size < bulkBytes && to-from < bulkRows; to++ {
			size += sizeOf(changes[to].Last)
		}
		parts = append(parts, changes[from:to])
		from = to
	}
	return parts
}

// sizeOf a version, in bytes, about.
func sizeOf(v *sync.Version) int {
	return 200 + len(v.Kind) + len(v.ID) + len(v.Scope) + len(v.Body) + len(v.Marks)
}

// replaceOlder is a write that finds a row of a lower rev or makes one; where
// there is one of this rev or a higher it fails as a duplicate.
func replaceOlder(history string, c *listing.Change) driver.WriteModel {
	id := idOf(history, c.Key)
	return driver.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: id}, {Key: "r", Value: bson.D{{Key: "$lt", Value: int64(c.Rev)}}}}).
		SetUpdate(bson.D{{Key: "$set", Value: bson.D{
			{Key: "r", Value: int64(c.Rev)}, {Key: "s", Value: c.Last.Scope}, {Key: "d", Value: c.Last.Deleted},
			{Key: "b", Value: c.Last.Body}, {Key: "m", Value: c.Last.Marks}, {Key: "c", Value: checksum(id, c.Rev, c.Last)},
		}}})
}

// checksum of a row (CRC-32C): what phones are told must be what was written.
func checksum(id documentID, rev uint64, v *sync.Version) int64 {
	head := make([]byte, 0, 256)
	for _, s := range []string{id.History, id.Kind, id.ID, v.Scope} {
		head = append(binary.AppendUvarint(head, uint64(len(s))), s...)
	}
	head = binary.AppendUvarint(binary.AppendUvarint(head, rev), uint64(len(v.Body)))
	if v.Deleted {
		head = append(head, 1)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	return int64(crc32.Update(crc32.Update(crc32.Checksum(head, table), table, v.Body), table, v.Marks))
}

// read the rows of these keys.
func (d *documents) read(ctx context.Context, history string, keys []sync.Key) ([]sync.Version, error) {
	var out []sync.Version
	for len(keys) > 0 {
		part := keys[:min(len(keys), bulkRows)]
		ids := make([]documentID, len(part))
		for i, k := range part {
			ids[i] = idOf(history, k)
		}
		rows, err := findAll[documentRow](ctx, d.rows.Database(), query{from: d.rows.Name(), filter: among(ids), limit: len(ids)})
		if err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
		for i := range rows {
			v, err := rows[i].version()
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		if keys = keys[len(part):]; len(rows) < len(part) && len(rows) > 0 { // one answer does not hold them all, perhaps
			keys = append(without(part, rows), keys...)
		}
	}
	return out, nil
}

func (r *documentRow) version() (sync.Version, error) {
	v := sync.Version{
		Key: sync.Key{Kind: r.ID.Kind, ID: r.ID.ID}, Rev: uint64(r.Rev),
		Scope: r.Scope, Deleted: r.Deleted, Body: r.Body, Marks: r.Marks,
	}
	if r.Sum != checksum(r.ID, v.Rev, &v) {
		return v, fmt.Errorf("document %s@%d: %w", v.Key, v.Rev, sync.ErrDamaged)
	}
	return v, nil
}

// without gives the keys that no row is of.
func without(keys []sync.Key, rows []documentRow) []sync.Key {
	found := make(map[sync.Key]bool, len(rows))
	for i := range rows {
		found[sync.Key{Kind: rows[i].ID.Kind, ID: rows[i].ID.ID}] = true
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k sync.Key) bool { return found[k] })
}

// numbers of the commits that changed a document, newest first.
func (d *documents) numbers(ctx context.Context, history string, key sync.Key, before uint64, limit int) ([]uint64, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := findAll[struct {
		ID revisionID `bson:"_id"`
	}](ctx, d.revisions.Database(), query{
		from: d.revisions.Name(), sort: bson.D{{Key: "_id", Value: -1}}, limit: limit,
		filter: idsBetween(
			bound{"$gte", path("h", history, "k", key.Kind, "i", key.ID)},
			bound{"$lt", path("h", history, "k", key.Kind, "i", key.ID, "n", int64(before))},
		),
	})
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	var out []uint64
	for _, r := range rows {
		out = append(out, uint64(r.ID.Number))
	}
	return out, nil
}
