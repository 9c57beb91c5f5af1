package main

import (
	"fmt"
	"strings"

	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/demo"
)

// demoWelcome tells what there is and what to try.
func demoWelcome(cfg *config.Config, url string, created bool) string {
	state := "goes on with what it held"
	if created {
		state = "was made anew"
	}
	shown, typed := demo.Password, demo.Password
	switch {
	case cfg.DemoPassword != "" && created:
		shown, typed = "the one you gave", "…"
	case cfg.DemoPassword != "":
		shown, typed = "the one it was made with", "…"
	}
	return strings.NewReplacer("{url}", url, "{state}", state, "{shown}", shown, "{typed}", typed).Replace(demoText)
}

const demoText = `Enroute serves {url}
The workspace demo {state}. Its company is synthetic, its places are real.

  admin@demo.example        administrator
  dispatcher@demo.example   dispatcher
  tech1@demo.example        technician, and so on to tech12
  password                  {shown}

What to try, in another terminal:

  # sign in as a technician's phone
  TOKEN=$(curl -s {url}/v1/login -H 'Content-Type: application/json' -d '{"workspace":"demo","email":"tech1@demo.example","password":"{typed}","device":{"id":"phone-1","name":"My phone"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

  # all that this phone holds, first page: only this technician's clients and tasks
  curl -s "{url}/v1/sync/pull?limit=5" -H "Authorization: Bearer $TOKEN"

  # the interface, described: {url}/docs
`

// plainWelcome tells that the server is there, and how to sign in for the
// first time where it was just made.
func plainWelcome(url string, made *founded) string {
	if made == nil {
		return fmt.Sprintf("Enroute serves %s\n", url)
	}
	return fmt.Sprintf("Enroute serves %s\nThis is its first start. Its administrator signs in with\n%s", url, made)
}
