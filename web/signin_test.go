package web_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/web"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	w := open(t)
	body := map[string]any{"workspace": "test", "email": " TIM@test.example", "password": password,
		"device": map[string]any{"id": "phone", "name": "Tim's", "platform": "android", "appVersion": "1", "pushToken": "push-secret"}}
	a := w.do("POST", "/v1/login", "", body).want(http.StatusOK).without("push-secret", "argon2", password)
	user, _ := a.object()["user"].(map[string]any)
	if user["id"] != "tim" || user["employeeId"] != "tim" || user["role"] != "technician" || a.text("deviceId") != "phone" || a.text("expiresAt") == "" {
		t.Errorf("session: %s", a.body)
	}
	w.do("GET", "/v1/sync/pull", a.text("token"), nil).want(http.StatusOK)

	second := w.do("POST", "/v1/login", "", body).want(http.StatusOK)
	w.do("GET", "/v1/sync/pull", a.text("token"), nil).problem(http.StatusUnauthorized, "not_signed_in")
	w.do("POST", "/v1/logout", second.text("token"), nil).want(http.StatusNoContent)
	w.do("POST", "/v1/logout", second.text("token"), nil).problem(http.StatusUnauthorized, "not_signed_in")
}

// TestLoginTellsNothing: whatever is wrong, the answer is the same to the byte.
func TestLoginTellsNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.do("PATCH", "/v1/employees/tom", w.token("ana", ""), map[string]any{"active": false}).want(http.StatusOK)
	var first []byte
	for name, in := range map[string][3]string{
		"wrong password":      {"test", "tim@test.example", "not the password"},
		"unknown account":     {"test", "nobody@test.example", password},
		"unknown workspace":   {"elsewhere", "tim@test.example", password},
		"deactivated account": {"test", "tom@test.example", password},
	} {
		a := w.do("POST", "/v1/login", "", map[string]any{"workspace": in[0], "email": in[1], "password": in[2]}, "Accept-Language", "fr").
			problem(http.StatusUnauthorized, "bad_credentials")
		if first == nil {
			first = a.body
		}
		if string(a.body) != string(first) {
			t.Errorf("%s: %s\nothers: %s", name, a.body, first)
		}
	}
}

func TestLoginRefuses(t *testing.T) {
	t.Parallel()
	w := open(t)
	with := func(name string, value any) map[string]any {
		m := map[string]any{"workspace": "test", "email": "tim@test.example", "password": password}
		m[name] = value
		return m
	}
	for name, tt := range map[string]struct {
		body        any
		field, code string
	}{
		"no password":      {with("password", nil), "password", "required"},
		"a number":         {with("email", 5), "email", "wrong_type"},
		"a strange member": {with("admin", true), "admin", "unknown_field"},
		"another case":     {with("Email", "x"), "Email", "unknown_field"},
		"no device id":     {with("device", map[string]any{"name": "x"}), "device.id", "required"},
		"a bad device id":  {with("device", map[string]any{"id": "../x"}), "device.id", "bad_format"},
		"a list of device": {with("device", []any{}), "device", "wrong_type"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.do("POST", "/v1/login", "", tt.body).problem(422, "invalid").blames(tt.field, tt.code).without(password)
		})
	}
}

// TestFailedSignInsAreCounted: per account, however often the address seems
// to change, and only the failed ones.
func TestFailedSignInsAreCounted(t *testing.T) {
	t.Parallel()
	w := open(t)
	wrong := map[string]any{"workspace": "test", "email": "tim@test.example", "password": "wrong"}
	var a *answer
	for i := 0; i < 100; i++ {
		a = w.do("POST", "/v1/login", "", wrong, "X-Forwarded-For", "192.0.2."+strconv.Itoa(i))
		if a.status != http.StatusUnauthorized {
			break
		}
	}
	a.problem(http.StatusTooManyRequests, "too_many_requests")
	if s, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || s < 1 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	for range 15 {
		w.do("POST", "/v1/login", "", map[string]any{"workspace": "test", "email": "ana@test.example", "password": password}).want(http.StatusOK)
	}
}

// TestAddressesBehindProxies: a trusted proxy is believed about who comes
// through it; so one address that guesses does not lock out the others.
func TestAddressesBehindProxies(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	guess := func(i int, from string) *answer {
		return w.do("POST", "/v1/login", "", map[string]any{
			"workspace": "test", "email": "x" + strconv.Itoa(i) + "@test.example", "password": "wrong",
		}, "X-Forwarded-For", from)
	}
	for i := 0; i < 200; i++ {
		if guess(i, "203.0.113.99, 192.0.2.1").status == http.StatusTooManyRequests {
			guess(i, "198.51.100.7, 192.0.2.1, 127.0.0.1").problem(http.StatusTooManyRequests, "too_many_requests")
			guess(i, "192.0.2.2").problem(http.StatusUnauthorized, "bad_credentials")
			return
		}
	}
	t.Error("an address may guess for ever")
}

// TestAddressesInSeveralHeaders: proxies that add a header of their own
// instead of writing behind what the client sent are read just the same; the
// client's word does not count.
func TestAddressesInSeveralHeaders(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for i := range 200 {
		req := w.request("POST", "/v1/login", "", map[string]any{
			"workspace": "test", "email": "x" + strconv.Itoa(i) + "@test.example", "password": "wrong",
		})
		req.Header["X-Forwarded-For"] = []string{"203.0.113." + strconv.Itoa(i), "192.0.2.1"}
		r, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("who invents addresses may guess for ever")
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	w := open(t)
	good := w.token("tim", "phone")
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Basic " + good, "Bearer x", "Bearer " + good + "x", "Bearer test." + strings.Repeat("A", 43),
		"Bearer " + strings.Replace(good, "test", "other", 1), "Bearer " + strings.Repeat("A", 5000), "Bearer \xff\xfe",
	} {
		a := w.do("GET", "/v1/clients", "", nil, "Authorization", header).problem(http.StatusUnauthorized, "not_signed_in")
		if a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: no WWW-Authenticate", header)
		}
		a.without("Érablière", "test.")
	}
	w.do("GET", "/v1/clients", "", nil, "Authorization", "bearer "+good).want(http.StatusOK)
}

// TestRevokedDevice: out at once, everywhere; with handIn its push is still
// answered for a day, and nothing else.
func TestRevokedDevice(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	phone, tablet := w.token("tim", "phone"), w.token("tim", "tablet")
	w.do("DELETE", "/v1/devices/phone", phone, nil).problem(http.StatusForbidden, "forbidden")
	w.do("DELETE", "/v1/devices/none", ana, nil).problem(http.StatusNotFound, "not_found")
	w.do("DELETE", "/v1/devices/phone?handIn=maybe", ana, nil).problem(422, "invalid").blames("handIn", "not_one_of")
	w.do("DELETE", "/v1/devices/phone", ana, nil).want(http.StatusNoContent)
	w.do("DELETE", "/v1/devices/tablet?handIn=true", ana, nil).want(http.StatusNoContent)
	for _, token := range []string{phone, tablet} {
		for _, path := range []string{"/v1/sync/pull", "/v1/clients", "/v1/clients/c1", "/v1/sync/live", "/v1/devices"} {
			w.do("GET", path, token, nil, "Accept-Language", "fr").problem(http.StatusUnauthorized, "device_revoked").without("Érablière")
		}
		w.do("POST", "/v1/logout", token, nil).problem(http.StatusUnauthorized, "device_revoked")
	}
	work := push(mutation("client", "c1", "update", map[string]any{"note": "fait"}))
	w.do("POST", "/v1/sync/push", phone, work).problem(http.StatusUnauthorized, "device_revoked")
	w.do("POST", "/v1/sync/push", tablet, work).want(http.StatusOK)
}

// TestLastSeen: whatever a device does tells when it was seen last, not only
// its pulls and pushes.
func TestLastSeen(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "desk")
	for id, use := range map[string]func(token string){
		"reads":   func(token string) { w.do("GET", "/v1/clients/c1", token, nil).want(http.StatusOK) },
		"pulls":   func(token string) { w.do("GET", "/v1/sync/pull", token, nil).want(http.StatusOK) },
		"follows": func(token string) { w.follow(token, "").change() },
		"rests":   func(string) {},
	} {
		use(w.token("tim", id))
		for _, d := range w.do("GET", "/v1/devices", ana, nil).want(http.StatusOK).object()["items"].([]any) {
			if d := d.(map[string]any); d["id"] == id && (d["lastSeenAt"] != nil) != (id != "rests") {
				t.Errorf("a device that %s was last seen %v", id, d["lastSeenAt"])
			}
		}
	}
}

// TestLastSeenOfAStream: a page that is sent is a sign of life too.
func TestLastSeenOfAStream(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "desk")
	s := w.follow(w.token("tim", "phone"), "")
	s.change()
	w.Clock.Advance(time.Hour)
	w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"note": "Sonner"}).want(http.StatusOK)
	s.change()
	for _, d := range w.do("GET", "/v1/devices", ana, nil).object()["items"].([]any) {
		seen, _ := d.(map[string]any)["lastSeenAt"].(string)
		at, err := time.Parse(time.RFC3339, seen)
		if d.(map[string]any)["id"] == "phone" && (err != nil || w.Clock.Now().Sub(at) > time.Minute) {
			t.Errorf("last seen %q, now it is %s", seen, w.Clock.Now())
		}
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana, tim, other := w.token("ana", ""), w.token("tim", ""), w.token("tim", "phone")
	const next = "another long password"
	w.do("PUT", "/v1/employees/tim/password", tim, map[string]any{"password": next}).want(http.StatusUnprocessableEntity).without(next)
	w.do("PUT", "/v1/employees/tim/password", tim, map[string]any{"password": "short", "currentPassword": password}).problem(422, "weak_password")
	w.do("PUT", "/v1/employees/tim/password", tim, map[string]any{"password": next, "currentPassword": password}).want(http.StatusNoContent)
	w.do("GET", "/v1/clients", tim, nil).want(http.StatusOK)
	w.do("GET", "/v1/clients", other, nil).problem(http.StatusUnauthorized, "not_signed_in")
	w.do("POST", "/v1/login", "", map[string]any{"workspace": "test", "email": "tim@test.example", "password": password}).
		problem(http.StatusUnauthorized, "bad_credentials")
	w.do("POST", "/v1/login", "", map[string]any{"workspace": "test", "email": "tim@test.example", "password": next}).want(http.StatusOK)

	w.do("PUT", "/v1/employees/ana/password", tim, map[string]any{"password": next}).problem(http.StatusForbidden, "forbidden")
	w.do("PUT", "/v1/employees/tom/password", ana, map[string]any{"password": next}).want(http.StatusNoContent)
	w.do("PUT", "/v1/employees/nobody/password", ana, map[string]any{"password": next}).problem(http.StatusNotFound, "not_found")
	w.do("PUT", "/v1/employees/tom/password", ana, map[string]any{"password": next, "hash": "x"}).problem(422, "invalid").blames("hash", "unknown_field")
}
