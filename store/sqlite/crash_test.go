package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

// crashFile tells the test program, run by itself, to append to this file
// until it is killed.
const crashFile = "ENROUTE_TEST_CRASH_FILE"

const crashWorkspaces = 3

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, appendForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// appendForever prints "workspace number hash" of each commit once it is
// acknowledged.
func appendForever(path string) error {
	ctx := context.Background()
	idx, err := sync.NewRegistry()
	if err != nil {
		return err
	}
	s, err := Open(ctx, path, idx, Options{})
	if err != nil {
		return err
	}
	var g errgroup.Group
	for w := range crashWorkspaces {
		workspace := fmt.Sprint("w", w)
		g.Go(func() error {
			head, err := s.Head(ctx, workspace)
			for n := 0; err == nil; n++ {
				var c *sync.Commit
				c, head = follow(head, benchClient(n%50), benchClient(n%50+50))
				if err = s.Append(ctx, workspace, []*sync.Commit{c}); err == nil {
					_, err = fmt.Printf("%s %d %x\n", workspace, c.Number, c.Hash)
				}
			}
			return err
		})
	}
	return g.Wait()
}

// TestKill: what was acknowledged before the process was killed is there, the
// chain is whole, and the projections agree with it. Each round goes on with
// the file that the last one left.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	for round := range 3 {
		acknowledged := killAfter(t, path, 60+round)
		idx, err := sync.NewRegistry()
		if err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path, idx)
		for workspace, commits := range acknowledged {
			chain := wholeChain(t, s, workspace)
			for number, hash := range commits {
				if number > uint64(len(chain)) || fmt.Sprintf("%x", chain[number-1].Hash) != hash {
					t.Errorf("round %d: acknowledged commit %d of %s is lost", round, number, workspace)
				}
			}
			isProjected(t, s, workspace, chain)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs the appending program and kills it after so many
// acknowledgements. It gives what was acknowledged: hashes by workspace and
// number.
func killAfter(t *testing.T, path string, lines int) map[string]map[uint64]string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), crashFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]map[uint64]string{}
	for in := bufio.NewReader(out); ; lines-- {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) { // what was on its way counts too
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var workspace, hash string
		var number uint64
		if _, err := fmt.Sscan(line, &workspace, &number, &hash); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if acknowledged[workspace] == nil {
			acknowledged[workspace] = map[uint64]string{}
		}
		acknowledged[workspace][number] = hash
		if lines == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the appending program ended by itself")
	}
	return acknowledged
}

// wholeChain reads a journal and checks that each commit follows the one
// before and has the hash of its content.
func wholeChain(t *testing.T, s sync.Store, workspace string) []*sync.Commit {
	t.Helper()
	var chain []*sync.Commit
	var prev sync.Hash
	err := s.Journal(t.Context(), workspace, 1, 0, func(c *sync.Commit) error {
		hash := c.Hash
		if c.Seal(); c.Prev != prev || c.Hash != hash || c.Number != uint64(len(chain)+1) {
			return fmt.Errorf("commit %d does not belong here", c.Number)
		}
		prev = hash
		chain = append(chain, c)
		return nil
	})
	if err != nil {
		t.Fatalf("journal of %s: %v", workspace, err)
	}
	return chain
}

// isProjected compares documents, outcomes, histories and lists with the
// journal.
func isProjected(t *testing.T, s sync.Store, workspace string, chain []*sync.Commit) {
	t.Helper()
	head := uint64(len(chain))
	changes := map[sync.Key][]uint64{}
	for _, c := range chain {
		for _, v := range c.Changes {
			changes[v.Key] = append([]uint64{c.Number}, changes[v.Key]...)
		}
		refs, err := s.Outcomes(t.Context(), workspace, outcomeIDs(c))
		if err != nil || len(refs) != len(c.Outcomes) {
			t.Fatalf("commit %d has %d outcomes, %v", c.Number, len(refs), err)
		}
	}
	for key, want := range changes {
		got, err := s.Revisions(t.Context(), workspace, head, key, 0, len(chain))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("revisions of %s are %v, %v, want %v", key, got, err, want)
		}
		docs, err := s.Documents(t.Context(), workspace, []sync.Key{key})
		if err != nil || len(docs) != 1 || docs[0].Rev != want[0] {
			t.Fatalf("document %s is %v, %v, want rev %d", key, docs, err, want[0])
		}
	}
	list, err := s.List(t.Context(), workspace, head, sync.Query{Kind: "client", Limit: 1})
	if err != nil || list.Total != len(changes) {
		t.Fatalf("list has %d documents, %v, want %d", list.Total, err, len(changes))
	}
}
