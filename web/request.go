package web

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// levelAccess is the level of the request log.
const levelAccess = slog.LevelDebug

// errTooSlow is why a request is given up.
var errTooSlow = errors.New("the request took too long")

// call is one request on its way to its answer. It does not outlive its handler.
type call struct {
	http      *fiber.Ctx
	server    *Server
	endpoint  *endpoint
	ctx       context.Context
	identity  *auth.Identity // nil when anyone may call
	requestID string
	begun     time.Time
	args      []argument
	bearer    string // the token, once it was asked for
	body      []byte // once bodyRead
	bodyRead  bool
	proven    bool // forwarded by another node
}

// argument is one parameter of the query.
type argument struct{ name, value string }

func (s *Server) newCall(f *fiber.Ctx, e *endpoint) *call {
	c := &call{http: f, server: s, endpoint: e, ctx: s.life, begun: s.o.Clock()}
	c.requestID = f.Get(fiber.HeaderXRequestID)
	if !saneID(c.requestID) {
		c.requestID = strconv.FormatUint(rand.Uint64(), 36)
	}
	c.proven = s.forwarder != nil && c.isProven()
	c.dress()
	return c
}

// saneID says whether a client's request id may be echoed and logged.
func saneID(id string) bool {
	return len(id) > 0 && len(id) <= 64 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

func (c *call) workspace() *sync.Workspace { return c.identity.Workspace }

func (c *call) actor() sync.Actor { return c.identity.Actor }

// token is the one of the header Authorization (RFC 6750); "" if there is none.
func (c *call) token() string {
	if c.bearer != "" {
		return c.bearer
	}
	scheme, token, _ := strings.Cut(c.http.Get(fiber.HeaderAuthorization), " ")
	if strings.EqualFold(scheme, "Bearer") {
		c.bearer = strings.TrimSpace(token)
	}
	return c.bearer
}

// address of the client, behind proxies that are trusted. A node that forwards
// is one.
func (c *call) address() string {
	remote, err := netip.ParseAddr(c.http.Context().RemoteIP().String())
	if err != nil || !c.proven && !c.trusted(remote) {
		return remote.String()
	}
	for _, hop := range slices.Backward(c.hops()) {
		a, err := netip.ParseAddr(hop)
		if err != nil {
			break
		}
		if remote = a; !c.trusted(a) {
			break
		}
	}
	return remote.String()
}

// hops are the addresses of X-Forwarded-For, the last proxy's word last. It
// may be there several times: some proxies write their own below the client's.
func (c *call) hops() []string {
	var out []string
	for _, header := range c.http.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		for hop := range strings.SplitSeq(string(header), ",") {
			out = append(out, strings.TrimSpace(hop))
		}
	}
	return out
}

func (c *call) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(c.server.o.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// languages Enroute speaks; the first one is for everybody else.
var languages = language.NewMatcher([]language.Tag{language.English, language.French})

// lang of the answer: "en" or "fr".
func (c *call) lang() string {
	asked := c.http.Get(fiber.HeaderAcceptLanguage)
	if asked == "" {
		return "en"
	}
	tags, _, err := language.ParseAcceptLanguage(asked)
	if _, i, _ := languages.Match(tags...); err == nil && i == 1 {
		return "fr"
	}
	return "en"
}

// readQuery takes the parameters of the query; lists check theirs themselves.
func (c *call) readQuery() error {
	args := c.http.Context().QueryArgs()
	if args.Len() == 0 {
		return nil
	}
	c.args = make([]argument, 0, args.Len())
	var wrong []fault.Field
	args.VisitAll(func(k, v []byte) {
		name := c.endpoint.param(k)
		if name == "" && c.endpoint.filters != nil {
			name = string(k)
		}
		f, ok := c.accept(name, k, v)
		switch {
		case ok:
			c.args = append(c.args, argument{name, string(v)})
		case len(wrong) < maxFaults:
			wrong = append(wrong, f)
		}
	})
	if len(wrong) > 0 {
		return fault.Invalid(wrong...)
	}
	return nil
}

// accept refuses a parameter that is unknown, given twice, or no text.
func (c *call) accept(name string, k, v []byte) (fault.Field, bool) {
	switch {
	case !utf8.Valid(k):
		return fault.At("", fault.BadUTF8), false
	case !utf8.Valid(v):
		return fault.At(string(k), fault.BadUTF8), false
	case name == "":
		return fault.At(string(k), fault.UnknownParam), false
	case c.has(name):
		return fault.At(name, fault.Repeated), false
	}
	return fault.Field{}, true
}

func (c *call) has(name string) bool {
	return slices.ContainsFunc(c.args, func(a argument) bool { return a.name == name })
}

// arg is a parameter of the query; "" if it is not there.
func (c *call) arg(name string) string {
	for i := range c.args {
		if c.args[i].name == name {
			return c.args[i].value
		}
	}
	return ""
}

// number is a whole parameter between least and most; 0 if it is not there.
func (c *call) number(name string, least, most int) (int, error) {
	text := c.arg(name)
	if text == "" && !c.has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault.Invalid(fault.At(name, fault.WrongType, "type", "integer"))
	}
	if n < least || n > most {
		return 0, fault.Invalid(fault.At(name, fault.OutOfRange, "min", strconv.Itoa(least), "max", strconv.Itoa(most)))
	}
	return n, nil
}

// flag is a parameter that is true or false; false if it is not there.
func (c *call) flag(name string) (bool, error) {
	switch c.arg(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "":
		if !c.has(name) {
			return false, nil
		}
	}
	return false, fault.Invalid(fault.At(name, fault.NotOneOf, "values", "true, false"))
}

// pathID is the {id} of the path. What cannot be an id names nothing.
func (c *call) pathID() (string, error) {
	id := c.http.Params("id")
	if !validID(id) {
		return "", fault.New(fault.NotFound)
	}
	return id, nil
}

// validID says whether the text can be a document's id.
func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 64 &&
		strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// etags are the revs of a header like If-Match: "12", W/"12" or a list of
// such; every is true for "*".
func etags(header string) (revs []uint64, every bool) {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil, true
		}
		tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
		if rev, err := strconv.ParseUint(tag, 10, 64); err == nil && rev > 0 {
			revs = append(revs, rev)
		}
	}
	return revs, false
}

// etag of a rev (RFC 9110, section 8.8.3).
func etag(rev uint64) string { return `"` + strconv.FormatUint(rev, 10) + `"` }

// keySpace is the UUID namespace of idempotency keys.
var keySpace = uuid.MustParse("3f0d7a52-64c1-5b0e-9d5e-6f2a1c7b9e10")

// idempotencyHeader makes repetitions of a write known.
const idempotencyHeader = "Idempotency-Key"

// idempotencyKey is the mutation id that the header Idempotency-Key and the
// user make; the nil UUID without the header.
func (c *call) idempotencyKey() (uuid.UUID, error) {
	key := c.http.Get(idempotencyHeader)
	if key == "" {
		return uuid.Nil, nil
	}
	if len(key) > 255 {
		return uuid.Nil, fault.Invalid(fault.At(idempotencyHeader, fault.TooLong, "max", "255"))
	}
	user := uuid.NewSHA1(keySpace, []byte(c.actor().User))
	return uuid.NewSHA1(user, []byte(key)), nil
}
