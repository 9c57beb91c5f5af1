package web

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// BenchmarkPullNothingNew is the server's part of the commonest request there
// is, without the network, beside a bare Fiber handler that sends the same.
func BenchmarkPullNothingNew(b *testing.B) {
	w := enginetest.New(b, enginetest.Options{
		Kinds: slices.Concat(auth.Kinds(), company.Kinds(), clients.Kinds()),
		Seed: []sync.Mutation{
			enginetest.Create(company.KindSettings, company.SettingsID, sync.Fields{}),
			enginetest.Create(company.KindEmployee, "tim", sync.Fields{"name": "Tim", "email": "tim@test.example", "role": "technician"}),
		},
	})
	a := auth.New(auth.Options{Engine: w.Engine, Clock: w.Clock.Now, Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	b.Cleanup(func() { _ = a.Close(b.Context()) })
	token, err := a.Issue(b.Context(), w.Workspace, "tim", auth.DeviceInput{ID: "phone"})
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{Engine: w.Engine, Registry: w.Registry, Auth: a, Clock: w.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	page, err := w.Workspace.Pull(b.Context(), sync.Actor{User: "tim", Device: "phone"}, "", 0)
	if err != nil {
		b.Fatal(err)
	}
	s.app.Handler() // builds the routes
	var ctx fasthttp.RequestCtx
	ask(b, &ctx, s.app.Server().Handler, "/v1/sync/pull?cursor="+page.Cursor, "Bearer "+token)
	answer := slices.Clone(ctx.Response.Body())

	bare := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true, StrictRouting: true, Immutable: true})
	bare.Get("/v1/sync/pull", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderXRequestID, "0123456789abc")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(answer)
	})
	b.Run("enroute", func(b *testing.B) { repeat(b, s.app.Server().Handler, page.Cursor, token) })
	clustered, err := New(Options{Engine: w.Engine, Registry: w.Registry, Auth: a, Clock: w.Clock.Now, Logger: slog.New(slog.DiscardHandler), Cluster: alone{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("enroute, with a cluster", func(b *testing.B) { repeat(b, clustered.app.Handler(), page.Cursor, token) })
	b.Run("bare", func(b *testing.B) { repeat(b, bare.Handler(), page.Cursor, token) })
}

// alone is a cluster in which this node serves everything.
type alone struct{}

func (alone) Locate(context.Context, string) (string, error) { return "", nil }
func (alone) Mislaid(string, string)                         {}
func (alone) Key() string                                    { return "key" }

func repeat(b *testing.B, h fasthttp.RequestHandler, cursor, token string) {
	b.ReportAllocs()
	var ctx fasthttp.RequestCtx // used again and again, as a connection does
	path, bearer := "/v1/sync/pull?cursor="+cursor, "Bearer "+token
	for b.Loop() {
		ask(b, &ctx, h, path, bearer)
	}
}

func ask(b *testing.B, ctx *fasthttp.RequestCtx, h fasthttp.RequestHandler, path, bearer string) {
	ctx.Request.Reset()
	ctx.Response.Reset()
	ctx.Request.SetRequestURI(path)
	ctx.Request.Header.Set("Authorization", bearer)
	h(ctx)
	if ctx.Response.StatusCode() != fiber.StatusOK {
		b.Fatalf("status %d: %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}
