package web

import (
	"net/http"
	"strconv"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Greatest number of rows of a page, and of numbers lent at once.
const (
	maxRows    = 5000
	maxNumbers = 1000
)

// pageRoom is what an empty page takes, in bytes: most pulls find nothing new.
const pageRoom = 512

func (s *Server) pull(c *call) error {
	limit, err := c.number("limit", 1, maxRows)
	if err != nil {
		return err
	}
	page, err := c.workspace().Pull(c.ctx, c.actor(), c.arg("cursor"), limit)
	if err != nil {
		return err
	}
	return c.rows(page)
}

// rows answers with a page of the sync. A short one is written into the buffer
// that the connection keeps for its answers: it saves making, clearing and
// collecting as many bytes again, a tenth of the work of a delta.
func (c *call) rows(p *sync.Page) error {
	n := room(p)
	if n > keptBuffer {
		return c.json(http.StatusOK, p.AppendJSON(make([]byte, 0, n)))
	}
	r := c.http.Response()
	text := p.AppendJSON(r.SwapBody(nil)[:0])
	if err := c.json(http.StatusOK, text); err != nil {
		return err
	}
	if len(r.Header.ContentEncoding()) == 0 {
		r.SwapBody(text)
	}
	return nil
}

// keptBuffer is the longest page that may leave its buffer with a connection.
const keptBuffer = 16 << 10

// room is about how long a page's JSON is.
func room(p *sync.Page) int {
	n := pageRoom + 64*(len(p.Drop)+len(p.Remove))
	for _, body := range p.Put {
		n += len(body) + 1
	}
	return n
}

func (s *Server) push(c *call) error {
	o, err := c.object()
	if err != nil {
		return err
	}
	req, err := readPush(o)
	if err != nil {
		return err
	}
	answer, err := c.workspace().Push(c.ctx, c.actor(), req)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, answer.AppendJSON(nil, c.lang()))
}

// readPush reads the envelope and the form of each mutation. What a mutation
// means is the engine's to judge, one by one; what has not even the form of
// one is an error of the app and refuses the request.
func readPush(o object) (sync.PushRequest, error) {
	o.only("sentAt", "mutations")
	o.required("mutations")
	req := sync.PushRequest{}
	if at := o.moment("sentAt"); at != nil {
		req.SentAt = *at
	}
	if len(o.list("mutations")) > sync.MaxMutations {
		return req, fault.New(fault.PushTooLarge)
	}
	o.each("mutations", func(m object) { req.Mutations = append(req.Mutations, readMutation(m)) })
	return req, o.err()
}

func readMutation(o object) sync.Mutation {
	o.only("id", "kind", "docId", "op", "base", "set", "unset", "at", "group")
	o.required("id")
	return sync.Mutation{
		ID: o.uuid("id"), Kind: o.text("kind"), DocID: o.text("docId"), Op: sync.Op(o.text("op")),
		Base: o.whole("base"), Set: o.object("set"), Unset: o.texts("unset"), At: o.moment("at"), Group: o.text("group"),
	}
}

func (s *Server) explain(c *call) error {
	for _, name := range []string{"employee", "kind", "id"} {
		if c.arg(name) == "" {
			return fault.Invalid(fault.At(name, fault.Required))
		}
	}
	kind := c.arg("kind")
	if k := s.o.Registry.Kind(kind); k == nil {
		return fault.Invalid(fault.At("kind", fault.UnknownKind, "kind", kind))
	}
	why, err := c.workspace().Explain(c.ctx, c.arg("employee"), sync.Key{Kind: kind, ID: c.arg("id")})
	if err != nil {
		return err
	}
	return c.encode(http.StatusOK, why)
}

func (s *Server) numbers(c *call) error {
	o, err := c.object()
	if err != nil {
		return err
	}
	o.only("kind", "count")
	o.required("kind", "count")
	kind, count := o.text("kind"), o.whole("count")
	if err := o.err(); err != nil {
		return err
	}
	if k := s.o.Registry.Kind(kind); k == nil || k.Field("number") == nil {
		return fault.Invalid(fault.At("kind", fault.UnknownKind, "kind", kind))
	}
	if count < 1 || count > maxNumbers {
		return fault.Invalid(fault.At("count", fault.OutOfRange, "min", "1", "max", strconv.Itoa(maxNumbers)))
	}
	from, to, err := c.workspace().Numbers(c.ctx, c.actor(), kind, int(count))
	if err != nil {
		return err
	}
	return c.encode(http.StatusOK, map[string]uint64{"from": from, "to": to})
}

// digestReport is the kind of report of a device that had to start over.
const digestReport = "digest"

// report takes what a device tells about itself: how much it has not sent,
// and that its documents were not what a digest said.
func (s *Server) report(c *call) error {
	o, err := c.object()
	if err != nil {
		return err
	}
	o.only("kind", "head", "expected", "actual", "pending", "appVersion")
	kind, head, seen := o.text("kind"), o.whole("head"), readSeen(o)
	expected, actual := readDigest(o, "expected"), readDigest(o, "actual")
	if kind != "" && kind != digestReport {
		o.wrong("kind", fault.NotOneOf, "values", digestReport)
	}
	if err := o.err(); err != nil {
		return err
	}
	s.o.Auth.Seen(c.identity, seen)
	if kind == digestReport {
		s.metrics.digestReports.Inc()
		s.o.Logger.WarnContext(c.ctx, "a device's documents were not what the digest said", "id", c.requestID,
			"workspace", c.workspace().Name(), "user", c.actor().User, "device", c.actor().Device,
			"head", head, "expected", expected, "actual", actual)
	}
	return c.nothing()
}

func readSeen(o object) auth.Seen {
	seen := auth.Seen{AppVersion: o.text("appVersion")}
	if len(seen.AppVersion) > 100 {
		o.wrong("appVersion", fault.TooLong, "max", "100")
	}
	if o.fields["pending"] != nil {
		n := int(o.whole("pending"))
		seen.Pending = &n
	}
	return seen
}

// readDigest gives a digest as text, for the log.
func readDigest(o object, name string) string {
	d, ok := o.inner(name)
	if !ok {
		return ""
	}
	d.only("count", "sum")
	sum := d.text("sum")
	if len(sum) > 16 {
		d.wrong("sum", fault.TooLong, "max", "16")
	}
	return strconv.FormatUint(d.whole("count"), 10) + "/" + sum
}
