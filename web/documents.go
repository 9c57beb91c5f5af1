package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// documents are the REST handlers of one kind.
type documents struct {
	server *Server
	kind   *sync.Kind
}

// serverMembers of a document are never a client's to set.
var serverMembers = []string{"createdAt", "kind", "rev", "scope", "updatedAt"}

func (d documents) key(c *call) (sync.Key, error) {
	id, err := c.pathID()
	return sync.Key{Kind: d.kind.Name, ID: id}, err
}

func (d documents) list(c *call) error {
	req, err := d.readList(c.args)
	if err != nil {
		return err
	}
	page, err := c.workspace().List(c.ctx, c.actor(), req)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, appendList(nil, page))
}

func (d documents) get(c *call) error {
	key, err := d.key(c)
	if err != nil {
		return err
	}
	v, err := c.workspace().Get(c.ctx, c.actor(), key)
	if err != nil {
		return err
	}
	return c.version(http.StatusOK, v)
}

// version answers with a document, or 304 if the client has it at this rev.
func (c *call) version(status int, v *sync.Version) error {
	c.http.Set(fiber.HeaderETag, etag(v.Rev))
	revs, every := etags(c.http.Get(fiber.HeaderIfNoneMatch))
	if c.endpoint.method == http.MethodGet && (every || slices.Contains(revs, v.Rev)) {
		c.http.Response().SetStatusCode(http.StatusNotModified)
		return nil
	}
	return c.json(status, v.Body)
}

func (d documents) create(c *call) error {
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	o, err := c.object()
	if err != nil {
		return err
	}
	id, set, err := readNew(o, key)
	if err != nil {
		return err
	}
	m := sync.Mutation{Kind: d.kind.Name, DocID: id, Op: sync.Create, Set: set}
	c.http.Set(fiber.HeaderLocation, "/v1/"+d.kind.Plural+"/"+id)
	return d.write(c, http.StatusCreated, sync.Write{Mutations: []sync.Mutation{m}, Key: key})
}

// readNew reads the body of a creation. Without an id the document gets one;
// the same one again when the request is repeated under the same key.
func readNew(o object, key uuid.UUID) (id string, set sync.Fields, err error) {
	id = o.text("id")
	switch {
	case o.fields["id"] == nil && key != uuid.Nil:
		id = uuid.NewSHA1(key, []byte("document")).String()
	case o.fields["id"] == nil:
		id = uuid.Must(uuid.NewV7()).String()
	case !validID(id):
		o.wrong("id", fault.BadFormat, "type", "id")
	}
	set, _ = split(o, "id")
	return id, set, o.err()
}

// split gives the fields that a merge patch (RFC 7396) sets, and the names of
// those it removes. The allowed names are left out.
func split(o object, allowed ...string) (set sync.Fields, unset []string) {
	set = sync.Fields{}
	for name, value := range o.fields {
		switch {
		case slices.Contains(allowed, name):
		case name == "id" || slices.Contains(serverMembers, name):
			o.wrong(name, fault.ReadOnly)
		case value == nil:
			unset = append(unset, name)
		default:
			set[name] = value
		}
	}
	slices.Sort(unset)
	return set, unset
}

func (d documents) patch(c *call) error {
	w, err := d.change(c, sync.Update)
	if err != nil {
		return err
	}
	o, err := c.object()
	if err != nil {
		return err
	}
	w.Mutations[0].Set, w.Mutations[0].Unset = split(o)
	if err := o.err(); err != nil {
		return err
	}
	return d.write(c, http.StatusOK, w)
}

func (d documents) remove(c *call) error {
	w, err := d.change(c, sync.Delete)
	if err != nil {
		return err
	}
	return d.write(c, http.StatusNoContent, w)
}

// change prepares a write to the document of the path from the headers.
func (d documents) change(c *call, op sync.Op) (w sync.Write, err error) {
	key, err := d.key(c)
	if err != nil {
		return w, err
	}
	if w.Key, err = c.idempotencyKey(); err != nil {
		return w, err
	}
	w.Mutations = []sync.Mutation{{Kind: key.Kind, DocID: key.ID, Op: op}}
	w.IfMatch, err = c.ifMatch(key)
	return w, err
}

// ifMatch is the rev that the header If-Match insists on; 0 for any.
func (c *call) ifMatch(key sync.Key) (uint64, error) {
	header := c.http.Get(fiber.HeaderIfMatch)
	if header == "" {
		return 0, nil
	}
	revs, every := etags(header)
	switch {
	case every:
		return 0, nil
	case len(revs) == 0:
		return 0, fault.New(fault.PreconditionFail)
	case len(revs) == 1:
		return revs[0], nil
	}
	v, err := c.workspace().Get(c.ctx, c.actor(), key)
	if err == nil && slices.Contains(revs, v.Rev) {
		return v.Rev, nil
	}
	return revs[0], err
}

// write makes the change and answers with the document as it is now.
func (d documents) write(c *call, status int, w sync.Write) error {
	w.Cause = sync.Cause{Kind: "api", Ref: c.requestID}
	done, err := c.workspace().Write(c.ctx, c.actor(), w)
	if err != nil {
		return err
	}
	if status == http.StatusNoContent {
		return c.nothing()
	}
	if !done.Duplicate && len(done.Docs) > 0 {
		return c.version(status, &done.Docs[0])
	}
	return d.repeat(c, status, w.Mutations[0].Key())
}

// repeat answers a request that was made before: with the document, unless it
// is gone or no longer visible since.
func (d documents) repeat(c *call, status int, key sync.Key) error {
	v, err := c.workspace().Get(c.ctx, c.actor(), key)
	if fault.Is(err, fault.NotFound) {
		return c.nothing()
	}
	if err != nil {
		return err
	}
	return c.version(status, v)
}

func (d documents) history(c *call) error {
	key, err := d.key(c)
	if err != nil {
		return err
	}
	limit, err := c.number("limit", 1, maxItems)
	if err != nil {
		return err
	}
	before, err := readBefore(c.arg("after"))
	if err != nil {
		return err
	}
	page, err := c.workspace().History(c.ctx, c.actor(), key, before, or(limit, defaultItems))
	if err != nil {
		return err
	}
	items := page.Items
	if items == nil {
		items = []sync.HistoryEntry{}
	}
	return c.encode(http.StatusOK, struct {
		Items []sync.HistoryEntry `json:"items"`
		Next  *string             `json:"next"`
	}{items, nextRev(page.Next)})
}

// readBefore reads what nextRev wrote.
func readBefore(after string) (uint64, error) {
	if after == "" {
		return 0, nil
	}
	rev, err := strconv.ParseUint(after, 10, 64)
	if err != nil || rev == 0 {
		return 0, fault.Invalid(fault.At("after", fault.BadFormat, "type", "rev"))
	}
	return rev, nil
}

func nextRev(rev uint64) *string {
	if rev == 0 {
		return nil
	}
	text := strconv.FormatUint(rev, 10)
	return &text
}
