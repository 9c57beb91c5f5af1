package web

import (
	"net/http"

	"github.com/enroute-field/enroute/auth"
)

// signInLimit is the longest body of a sign-in, in bytes: it comes from
// people nobody knows yet.
const signInLimit = 16 << 10

func (s *Server) login(c *call) error {
	o, err := c.object()
	if err != nil {
		return err
	}
	req, err := readLogin(o)
	if err != nil {
		return err
	}
	req.Address = c.address()
	session, err := s.o.Auth.Login(c.ctx, req)
	if err != nil {
		return err
	}
	return c.encode(http.StatusOK, session)
}

// loginWorkspace is the workspace that a sign-in is for. What is wrong with
// the request the handler tells.
func loginWorkspace(c *call) string {
	o, err := c.object()
	if err != nil {
		return ""
	}
	req, err := readLogin(o)
	if err != nil {
		return ""
	}
	return req.WorkspaceName()
}

func readLogin(o object) (auth.LoginRequest, error) {
	o.only("workspace", "email", "password", "device")
	o.required("workspace", "email", "password")
	req := auth.LoginRequest{Workspace: o.text("workspace"), Email: o.text("email"), Password: o.text("password")}
	if d, ok := o.inner("device"); ok {
		d.only("id", "name", "platform", "appVersion", "pushToken")
		d.required("id")
		req.Device = &auth.DeviceInput{
			ID: d.text("id"), Name: d.text("name"), Platform: d.text("platform"),
			AppVersion: d.text("appVersion"), PushToken: d.text("pushToken"),
		}
	}
	return req, o.err()
}

func (s *Server) logout(c *call) error {
	if err := s.o.Auth.Logout(c.ctx, c.identity); err != nil {
		return err
	}
	return c.nothing()
}

func (s *Server) devices(c *call) error {
	devices, err := s.o.Auth.Devices(c.ctx, c.identity)
	if err != nil {
		return err
	}
	if devices == nil {
		devices = []auth.DeviceInfo{}
	}
	return c.encode(http.StatusOK, map[string]any{"items": devices, "next": nil, "total": len(devices)})
}

func (s *Server) revoke(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	handIn, err := c.flag("handIn")
	if err != nil {
		return err
	}
	if err := s.o.Auth.Revoke(c.ctx, c.identity, id, handIn); err != nil {
		return err
	}
	return c.nothing()
}

func (s *Server) setPassword(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	o, err := c.object()
	if err != nil {
		return err
	}
	o.only("password", "currentPassword")
	o.required("password")
	password, current := o.text("password"), o.text("currentPassword")
	if err := o.err(); err != nil {
		return err
	}
	if err := s.o.Auth.SetPassword(c.ctx, c.identity, id, current, password); err != nil {
		return err
	}
	return c.nothing()
}
