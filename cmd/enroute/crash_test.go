package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// kills, in the environment, is how many times TestKilledUnderLoad kills.
const kills = "ENROUTE_TEST_KILLS"

// Killed again and again in the middle of load, the server has lost nothing it
// acknowledged, and what is sent again has no second effect.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	k := startKilling(t)
	before := k.clients()
	rounds := 10
	if text := os.Getenv(kills); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		k.round(1 + rand.IntN(60))
	}
	k.sendAllAgain()
	if got, want := k.clients(), before+len(k.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
	k.kill()
	out, errs, code := run(t, "verify", "--data", k.data)
	if code != 0 {
		t.Errorf("verify ends with %d:\n%s%s", code, out, errs)
	}
}

// killing is a server that is killed and started again, and what was sent to it.
type killing struct {
	*process
	*sender
	t    *testing.T
	data string
}

// startKilling starts the demo in a folder of its own and signs in.
func startKilling(t *testing.T, env ...string) *killing {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	p := newProcess(t, env, "serve", "--demo", "--data", data)
	p.start()
	k := &killing{process: p, sender: &sender{t: t, address: p.listen}, t: t, data: data}
	k.signIn()
	return k
}

// round pushes from several sides until enough was acknowledged, kills the
// server while more is on its way, and starts it again.
func (k *killing) round(enough int) {
	k.t.Helper()
	acked := make(chan struct{}, 1000)
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !k.push(k.newPush()) {
					return // the server is gone
				}
				acked <- struct{}{}
			}
		})
	}
	for range enough {
		select {
		case <-acked:
		case <-time.After(patience):
			k.t.Fatalf("the pushes are not answered\n%s", k.log)
		}
	}
	k.kill()
	close(stop)
	senders.Wait()
	k.start()
}
