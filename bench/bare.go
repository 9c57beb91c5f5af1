package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/enroute-field/enroute/sync"
)

// recorded is an answer of the server, to be given again byte by byte.
type recorded struct {
	Status  int
	Headers [][2]string // but for Date, Content-Length and Content-Type, which Fiber writes
	Type    string
	Body    []byte
}

// Bare is the process to compare with: Fiber as the server configures it,
// with one handler that reads the request and sends a recorded answer. It
// reads the answer from in, writes its address to out, and runs until ctx is
// done.
func Bare(ctx context.Context, in io.Reader, out io.Writer) error {
	var r recorded
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read the answer to give: %w", err)
	}
	app := newBare()
	app.Get("/v1/sync/pull", r.answer)
	app.Post("/v1/sync/push", r.answer)
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = app.Shutdown() }) // the process ends with it
	fmt.Fprintf(out, "serves http://%s\n", ln.Addr())
	return app.Listener(ln)
}

// newBare is Fiber as package web configures it.
func newBare() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName: "Enroute", DisableStartupMessage: true, CaseSensitive: true, StrictRouting: true, Immutable: true,
		BodyLimit: sync.MaxPushBytes, StreamRequestBody: true, DisablePreParseMultipartForm: true,
		ReadTimeout: 15 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ReadBufferSize: 8 << 10,
	})
	app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if h.ContentLength() == 0 || h.IsGet() {
			return fasthttp.RequestConfig{}
		}
		return fasthttp.RequestConfig{ReadTimeout: 2 * time.Minute}
	}
	return app
}

func (r recorded) answer(c *fiber.Ctx) error {
	_ = c.Body() // the request is read, as the server has to
	for _, h := range r.Headers {
		c.Set(h[0], h[1])
	}
	c.Set(fiber.HeaderContentType, r.Type)
	return c.Status(r.Status).Send(r.Body)
}

// record keeps an answer.
func record(res *http.Response, body []byte) recorded {
	r := recorded{Status: res.StatusCode, Type: res.Header.Get("Content-Type"), Body: body}
	for name, values := range res.Header {
		switch name {
		case "Date", "Content-Length", "Content-Type":
			continue
		}
		for _, v := range values {
			r.Headers = append(r.Headers, [2]string{name, v})
		}
	}
	return r
}
