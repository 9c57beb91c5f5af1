package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"
)

// contentPolicy is for answers that are no pages: nothing may be loaded, and
// nobody may frame them.
const contentPolicy = "default-src 'none'; frame-ancestors 'none'"

// dress sets the headers that every answer has.
func (c *call) dress() {
	h := &c.http.Response().Header
	h.Set(fiber.HeaderXRequestID, c.requestID)
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	h.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	if c.endpoint.cached {
		h.Set(fiber.HeaderCacheControl, "no-cache")
	} else {
		h.Set(fiber.HeaderCacheControl, "no-store")
	}
	if c.proven {
		h.Set(nodeHeaderName, nodeHere)
	}
}

// send answers with a body, which must not be changed after.
func (c *call) send(status int, media string, body []byte) error {
	r := c.http.Response()
	r.SetStatusCode(status)
	r.Header.SetContentType(media)
	if len(body) > packFrom {
		r.Header.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		if p := choosePacking(c.http.Get(fiber.HeaderAcceptEncoding)); p != plain {
			r.Header.SetContentEncoding(string(p))
			body = c.server.packer.pack(p, body)
		}
	}
	r.SetBodyRaw(body)
	return nil
}

// json answers with a JSON text.
func (c *call) json(status int, body []byte) error {
	return c.send(status, fiber.MIMEApplicationJSON, body)
}

// encode answers with a value as JSON.
func (c *call) encode(status int, v any) error {
	body, err := marshal(v)
	if err != nil {
		return err
	}
	return c.json(status, body)
}

// nothing answers 204.
func (c *call) nothing() error {
	c.http.Response().SetStatusCode(http.StatusNoContent)
	return nil
}

// marshal is json.Marshal without its escaping of <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
