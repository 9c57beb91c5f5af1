package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/enroute-field/enroute/sync"
)

// A checkpoint is a generation of chunks, each a document. One more document,
// at generation 0, says which generation is whole: it is changed when all
// chunks of a new one are there, and the old ones are removed after that.
type chunk struct {
	ID   chunkID `bson:"_id"`
	Data []byte  `bson:"data"`
}

type chunkID struct {
	History    string `bson:"h"`
	Generation int64  `bson:"g"`
	Position   int64  `bson:"i"`
}

// current says which generation is whole.
type current struct {
	ID         chunkID   `bson:"_id"`
	Begun      int64     `bson:"begun"` // the last generation that anybody began to save
	Generation int64     `bson:"g"`     // 0: none is whole yet
	Chunks     int64     `bson:"chunks"`
	Number     int64     `bson:"number"`
	Hash       sync.Hash `bson:"hash"`
	At         int64     `bson:"at"` // microseconds since 1970
}

// checkpoints of one history.
type checkpoints struct {
	db      *driver.Database
	rows    *driver.Collection
	history string
}

func (s *Store) checkpoints(history string) checkpoints {
	return checkpoints{s.db, s.db.Collection("checkpoints"), history}
}

func (c checkpoints) at(generation, position int64) chunkID {
	return chunkID{c.history, generation, position}
}

// SaveCheckpoint implements sync.Store. It belongs to the history that the
// workspace's name stands for now. Of several that are saved at the same time
// the one begun last stays.
func (s *Store) SaveCheckpoint(ctx context.Context, workspace string, head sync.Head, chunks [][]byte) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	history, err := s.names.make(ctx, workspace)
	if err == nil {
		err = s.checkpoints(history).save(ctx, head, chunks)
	}
	if err != nil {
		return fmt.Errorf("save checkpoint of %s: %w", workspace, err)
	}
	return nil
}

func (c checkpoints) save(ctx context.Context, head sync.Head, chunks [][]byte) error {
	generation, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for i, data := range chunks {
		if _, err := c.rows.InsertOne(ctx, chunk{c.at(generation, int64(i)), data}); err != nil {
			return fmt.Errorf("write chunk %d: %w", i, err)
		}
	}
	older := bson.D{{Key: "_id", Value: c.at(0, 0)}, {Key: "g", Value: bson.D{{Key: "$lt", Value: generation}}}}
	_, err = c.rows.UpdateOne(ctx, older, bson.D{{Key: "$set", Value: bson.D{
		{Key: "g", Value: generation}, {Key: "chunks", Value: int64(len(chunks))},
		{Key: "number", Value: int64(head.Number)}, {Key: "hash", Value: head.Hash}, {Key: "at", Value: head.At.UnixMicro()},
	}}})
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return c.removeOld(ctx)
}

// begin a generation.
func (c checkpoints) begin(ctx context.Context) (int64, error) {
	next := bson.D{
		{Key: "$inc", Value: bson.D{{Key: "begun", Value: int64(1)}}},
		{Key: "$setOnInsert", Value: bson.D{{Key: "g", Value: int64(0)}}},
	}
	o := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	cur, err := one[current](c.rows.FindOneAndUpdate(ctx, byID(c.at(0, 0)), next, o))
	if err != nil {
		return 0, err
	}
	return cur.Begun, nil
}

// removeOld removes the chunks of all generations before the whole one.
func (c checkpoints) removeOld(ctx context.Context) error {
	cur, err := c.current(ctx)
	if err != nil || cur == nil {
		return err
	}
	_, err = c.rows.DeleteMany(ctx, byID(bson.D{{Key: "$gt", Value: c.at(0, 0)}, {Key: "$lt", Value: c.at(cur.Generation, 0)}}))
	if err != nil {
		return fmt.Errorf("remove the one before: %w", err)
	}
	return nil
}

func (c checkpoints) current(ctx context.Context) (*current, error) {
	return one[current](c.rows.FindOne(ctx, byID(c.at(0, 0))))
}

// LoadCheckpoint implements sync.Store.
func (s *Store) LoadCheckpoint(ctx context.Context, workspace string) (sync.Head, [][]byte, error) {
	if err := s.gate.enter(); err != nil {
		return sync.Head{}, nil, err
	}
	defer s.gate.leave()
	head, chunks, err := s.loadCheckpoint(ctx, workspace)
	if err != nil {
		return sync.Head{}, nil, fmt.Errorf("checkpoint of %s: %w", workspace, err)
	}
	return head, chunks, nil
}

func (s *Store) loadCheckpoint(ctx context.Context, workspace string) (sync.Head, [][]byte, error) {
	history, err := s.names.read(ctx, workspace)
	if err != nil {
		return sync.Head{}, nil, err
	}
	if history == "" {
		return sync.Head{}, nil, sync.ErrMissing
	}
	c := s.checkpoints(history)
	for generation := int64(0); ; { // again while others replace what is being read
		cur, err := c.current(ctx)
		if err != nil {
			return sync.Head{}, nil, err
		}
		if cur == nil || cur.Generation == 0 {
			return sync.Head{}, nil, sync.ErrMissing
		}
		chunks, err := c.load(ctx, cur)
		if err != nil {
			return sync.Head{}, nil, err
		}
		if int64(len(chunks)) == cur.Chunks {
			return cur.head(), chunks, nil
		}
		if cur.Generation == generation {
			return sync.Head{}, nil, fmt.Errorf("%d of %d chunks are there: %w", len(chunks), cur.Chunks, sync.ErrDamaged)
		}
		generation = cur.Generation
	}
}

func (c *current) head() sync.Head {
	return sync.Head{Number: uint64(c.Number), Hash: c.Hash, At: time.UnixMicro(c.At).UTC()}
}

// load the chunks of a generation, as far as they are there.
func (c checkpoints) load(ctx context.Context, cur *current) ([][]byte, error) {
	var chunks [][]byte
	for {
		found, err := findAll[chunk](ctx, c.db, query{
			from: c.rows.Name(), sort: byID(1), limit: windowSegments,
			filter: byID(bson.D{{Key: "$gte", Value: c.at(cur.Generation, int64(len(chunks)))}, {Key: "$lt", Value: c.at(cur.Generation, cur.Chunks)}}),
		})
		if err != nil || len(found) == 0 {
			return chunks, err
		}
		for _, f := range found {
			if f.ID.Position != int64(len(chunks)) {
				return chunks, nil
			}
			chunks = append(chunks, f.Data)
		}
	}
}
