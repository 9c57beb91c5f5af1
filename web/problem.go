package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/internal/fault"
)

// problemType is the media type of errors (RFC 9457).
const problemType = "application/problem+json"

// asFault gives errors that come from below their code: those of Fiber, and
// contexts that ended. All others without a code are internal.
func asFault(err error) *fault.Error {
	if f, ok := errors.AsType[*fiber.Error](err); ok {
		return ofStatus(f)
	}
	f := fault.Of(err)
	if f.Code == fault.Internal && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return fault.New(fault.Unavailable).After(time.Second).Because(err)
	}
	return f
}

func ofStatus(err *fiber.Error) *fault.Error {
	switch err.Code {
	case http.StatusNotFound:
		return fault.New(fault.NotFound)
	case http.StatusMethodNotAllowed:
		return fault.New(fault.MethodNotAllowed)
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.TooLarge, "limit", strconv.Itoa(pushLimit>>10)+" KiB")
	}
	return fault.New(fault.BadRequest, "why", "HTTP").Because(err)
}

// refuse answers with a problem, and logs what is our own fault.
func (c *call) refuse(err error) {
	f := asFault(err)
	status, lang := f.Code.Status(), c.lang()
	c.logFailure(status, f)
	c.http.Response().Header.Del(fiber.HeaderETag)
	c.http.Response().Header.Del(fiber.HeaderLocation)
	c.http.Set(fiber.HeaderContentLanguage, lang)
	if status == http.StatusUnauthorized {
		c.http.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="enroute"`)
	}
	if after := retryAfter(status, f); after != "" {
		c.http.Set(fiber.HeaderRetryAfter, after)
	}
	body, err := marshal(f.Problem(lang))
	if err != nil {
		c.server.o.Logger.ErrorContext(c.ctx, "cannot encode a problem", "id", c.requestID, "error", err)
	}
	_ = c.send(status, problemType, body) // never fails: body is in memory
}

// retryAfter is the header's value in seconds; "" for errors without one.
func retryAfter(status int, f *fault.Error) string {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return ""
	}
	return strconv.Itoa(max(1, int(math.Ceil(f.RetryAfter.Seconds()))))
}

func (c *call) logFailure(status int, f *fault.Error) {
	if status < http.StatusInternalServerError {
		return
	}
	c.server.o.Logger.ErrorContext(c.ctx, "request failed", "id", c.requestID,
		"method", c.http.Method(), "route", c.endpoint.path, "error", f)
}

// unavailable is the fault of a server that cannot answer just now.
func unavailable(cause error) error {
	return fault.New(fault.Unavailable).After(stopRetry).Because(cause)
}
