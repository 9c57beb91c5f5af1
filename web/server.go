package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// Options are what a Server is made of. Engine, Registry and Auth are needed.
type Options struct {
	Engine   *sync.Engine
	Registry *sync.Registry
	Auth     *auth.Service
	Logger   *slog.Logger     // nil: slog.Default(); requests are logged at level debug
	Clock    func() time.Time // nil: time.Now
	Version  string           // shown by /healthz and in the OpenAPI document
	Limits   Limits
	// TrustedProxies are the addresses whose X-Forwarded-For is believed when
	// sign-ins are counted per address.
	TrustedProxies []netip.Prefix
	// Cluster tells which node serves a workspace; requests for those that
	// others serve are forwarded to them. nil: this one serves all.
	Cluster Cluster
	// Gauges, if set, gives values for /metrics, by name without the prefix
	// "enroute_". It must be quick.
	Gauges func() map[string]float64
}

// Limits bound what one client can take. Zero fields get the defaults.
type Limits struct {
	Body       int           // bytes of a body other than a push; default 512 KiB
	ReadHead   time.Duration // to read a request's head; default 15 s
	ReadBody   time.Duration // to read a request with a body; default 2 min
	Write      time.Duration // to write an answer; default 1 min
	Idle       time.Duration // between requests of a connection; default 2 min
	Request    time.Duration // to answer a request; default 30 s
	Heartbeat  time.Duration // between comment lines of a quiet stream; default 20 s
	StreamSend time.Duration // for a stream's consumer to take an event; default 10 s
	Streams    int           // open live streams; default 20,000
}

// pushLimit is the longest body of a push: the contract's 4 MiB and some
// slack for the envelope around the mutations.
const pushLimit = sync.MaxPushBytes + 64<<10

func (l Limits) withDefaults() Limits {
	l.Body = or(l.Body, 512<<10)
	l.ReadHead = or(l.ReadHead, 15*time.Second)
	l.ReadBody = or(l.ReadBody, 2*time.Minute)
	l.Write = or(l.Write, time.Minute)
	l.Idle = or(l.Idle, 2*time.Minute)
	l.Request = or(l.Request, 30*time.Second)
	l.Heartbeat = or(l.Heartbeat, 20*time.Second)
	l.StreamSend = or(l.StreamSend, 10*time.Second)
	l.Streams = or(l.Streams, 20_000)
	return l
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Server answers HTTP requests. New makes it, Start sets it going, Stop ends it.
type Server struct {
	o         Options
	app       *fiber.App
	endpoints []*endpoint
	metrics   *metrics
	packer    *packer
	streams   *streams
	forwarder *forwarder // nil without a cluster

	openAPIText, docsText page

	life     context.Context // of everything the server does
	end      context.CancelCauseFunc
	answered atomic.Uint64
	started  atomic.Bool
	stopping atomic.Bool
	listener net.Listener
	served   chan struct{} // closed when nothing is accepted any more
}

// errStopped is why the work of a stopped server is cancelled.
var errStopped = errors.New("the web server is stopped")

// New makes a server with all its routes. It fails when two kinds ask for the
// same path.
func New(o Options) (*Server, error) {
	o.Limits = o.Limits.withDefaults()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Cluster != nil && o.Cluster.Key() == "" {
		return nil, errors.New("the cluster has no key by which its nodes know each other")
	}
	packer, err := newPacker()
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	s := &Server{o: o, packer: packer, served: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.streams = newStreams(o.Limits.Streams, o.Limits.StreamSend)
	s.metrics = newMetrics(s.streams, o.Gauges)
	if o.Cluster != nil {
		s.forwarder = newForwarder(s.life, s.streams.ctx, o)
	}
	s.app = s.newApp()
	return s, s.mountAll()
}

func (s *Server) newApp() *fiber.App {
	l := s.o.Limits
	head := maxHead
	if s.forwarder != nil {
		head += headRoom
	}
	app := fiber.New(fiber.Config{
		AppName:                      "Enroute",
		DisableStartupMessage:        true,
		CaseSensitive:                true,
		StrictRouting:                true,
		Immutable:                    true, // what a handler reads may outlive it
		BodyLimit:                    max(pushLimit, l.Body),
		StreamRequestBody:            true, // bodies are read by readBody, under each endpoint's own limit
		DisablePreParseMultipartForm: true,
		ReadTimeout:                  l.ReadHead,
		WriteTimeout:                 l.Write,
		IdleTimeout:                  l.Idle,
		ReadBufferSize:               head, // of a request, at most
		ErrorHandler:                 s.unmatched,
	})
	app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if h.ContentLength() == 0 || h.IsGet() {
			return fasthttp.RequestConfig{}
		}
		return fasthttp.RequestConfig{ReadTimeout: l.ReadBody}
	}
	s.guardMethods(app)
	return app
}

// guardMethods answers requests whose method Fiber does not know, which it
// would answer itself, and not by a problem.
func (s *Server) guardMethods(app *fiber.App) {
	known, next := app.Config().RequestMethods, app.Server().Handler
	app.Server().Handler = func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(known, string(ctx.Method())) {
			next(ctx)
			return
		}
		f := app.AcquireCtx(ctx)
		defer app.ReleaseCtx(f)
		_ = s.unmatched(f, fiber.ErrMethodNotAllowed) // never fails
	}
}

// Answered is how many requests have been answered so far, but for probes and
// scrapes.
func (s *Server) Answered() uint64 { return s.answered.Load() }

// Start serves the listener, which becomes the server's to close, and returns
// at once. A server is started once.
func (s *Server) Start(ln net.Listener) error {
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("the web server was started before")
	}
	s.listener = ln
	go func() {
		defer close(s.served)
		if err := s.app.Listener(ln); err != nil && !s.stopping.Load() {
			s.o.Logger.Error("the web server has stopped accepting", "error", err)
		}
	}()
	return nil
}

// Done is closed when the server no longer accepts connections, be it that it
// was stopped or that its listener failed.
func (s *Server) Done() <-chan struct{} { return s.served }

// Stop ends the open streams, lets running requests finish until ctx is done,
// and returns when nothing is left of the server, or with ctx's error. New
// requests are answered 503 meanwhile. A second Stop does no harm.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	defer s.packer.close()
	defer s.forwarder.close()
	defer s.end(errStopped)
	if !s.started.Load() {
		return nil
	}
	streams := s.streams.stop(ctx)
	err := s.app.ShutdownWithContext(ctx)
	// Shutdown knows no listener when it comes before the first accept.
	_ = s.listener.Close()
	<-s.served
	if err = errors.Join(streams, err); err != nil {
		return fmt.Errorf("stop the web server: %w", err)
	}
	return nil
}
