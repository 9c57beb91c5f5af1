package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// installation is one node or several that serve the same workspaces.
type installation struct {
	name  string
	nodes []*server
	drop  func() error // what they keep
}

// embedded is one server on a copy of the named folder.
func (r *run) embedded(ctx context.Context, name, folder string) (*installation, error) {
	s, err := r.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	return &installation{name: name, nodes: []*server{s}, drop: func() error { return nil }}, nil
}

// spread is some nodes over a database of their own, into which the named
// folder was moved.
func (r *run) spread(ctx context.Context, name, folder string, nodes int) (in *installation, err error) {
	data, w, err := r.shelf.get(ctx, folder)
	if err != nil {
		return nil, err
	}
	uri, drop, err := makeDatabase(r.Store)
	if err != nil {
		return nil, err
	}
	in = &installation{name: name, drop: drop}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.end())
		}
	}()
	if err := r.migrate(ctx, data, uri); err != nil {
		return in, err
	}
	for range nodes {
		s, err := r.node(ctx, uri, w)
		if err != nil {
			return in, err
		}
		in.nodes = append(in.nodes, s)
	}
	return in, nil
}

// migrate moves a data folder into a database, as an operator would.
func (r *run) migrate(ctx context.Context, data, uri string) error {
	command := r.self("migrate", "--from", data, "--to", uri)
	if text, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("move a folder into the database: %w: %s", err, text)
	}
	return nil
}

// node starts one over a database.
func (r *run) node(ctx context.Context, uri string, w *world) (*server, error) {
	command := r.self("serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--body-cache", bodyCache)
	began := time.Now()
	p, err := start(ctx, command, nil, "ENROUTE_STORE="+uri) // not a flag: it has a password
	if err != nil {
		return nil, err
	}
	return &server{process: p, world: w, began: began, after: func() error { return nil }}, nil
}

// end stops the nodes and removes what they kept.
func (in *installation) end() error {
	var errs []error
	for _, s := range in.nodes {
		errs = append(errs, s.stop(), s.after())
	}
	return errors.Join(append(errs, in.drop())...)
}

// dropTimeout is how long a database may take to be dropped.
const dropTimeout = time.Minute

// makeDatabase gives the address of a database that is not there yet, and what
// drops it again.
func makeDatabase(server string) (uri string, drop func() error, err error) {
	cs, err := connstring.ParseAndValidate(server)
	if err != nil {
		return "", nil, errors.New("the store is not an address of MongoDB") // err may tell a password
	}
	name := "enroute_bench_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	client, err := mongo.Connect(options.Client().ApplyURI(server))
	if err != nil {
		return "", nil, fmt.Errorf("connect to the database: %w", err)
	}
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		return errors.Join(client.Database(name).Drop(ctx), client.Disconnect(ctx))
	}
	return in(cs, name), drop, nil
}

// in is the address with another database. Accounts are looked for where they
// were: in the database that was named, unless the address says otherwise.
func in(cs *connstring.ConnString, database string) string {
	scheme, rest, _ := strings.Cut(cs.Original, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(rest, "/")
	if cs.AuthSource != "" && !cs.AuthSourceSet {
		query = strings.TrimPrefix(query+"&authSource="+cs.AuthSource, "&")
	}
	return fmt.Sprintf("%s://%s/%s?%s", scheme, hosts, database, query)
}

// seat has every workspace asked for at one of the nodes, which serves it from
// then on: the first at the first node, the others by turns.
func (in *installation) seat(ctx context.Context) error {
	first := in.nodes[0]
	if _, err := first.pull(ctx, first.Devices[0], 0); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, d := range first.Others {
		workspace, _, _ := strings.Cut(d.Token, ".")
		if asked[workspace] {
			continue
		}
		if _, err := in.nodes[len(asked)%len(in.nodes)].pull(ctx, d, 0); err != nil {
			return err
		}
		asked[workspace] = true
	}
	if len(in.nodes) == 1 {
		return nil
	}
	for i, s := range in.nodes {
		held, err := s.figure(ctx, "enroute_cluster_seats_held")
		if want := (len(asked)-i+len(in.nodes)-1)/len(in.nodes) + max(1-i, 0); err == nil && int(held) != want {
			err = fmt.Errorf("a node serves %.0f workspaces, and not %d", held, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// balanced is the address of the node that a connection reaches. With three,
// one connection in three reaches the one that serves its workspace.
func (in *installation) balanced(connection int) string {
	n := len(in.nodes)
	return in.nodes[(connection+connection/n)%n].address
}

// forwarded is how many requests the nodes have had answered by each other.
func (in *installation) forwarded(ctx context.Context) (float64, error) {
	if len(in.nodes) == 1 {
		return 0, nil
	}
	return in.sum(ctx, "enroute_forwarded_requests_total")
}

// processes of the nodes.
func (in *installation) processes() []*process {
	return each(in.nodes, func(s *server) *process { return s.process })
}

// sum of a figure over all nodes, as their metrics tell it.
func (in *installation) sum(ctx context.Context, figure string) (sum float64, err error) {
	for _, s := range in.nodes {
		v, err := s.figure(ctx, figure)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, nil
}

// rest waits until lists and search have followed everywhere, so that no
// measurement begins with the work of the last one.
func (in *installation) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		behind, err := in.sum(ctx, "enroute_lists_behind_commits")
		if err != nil || behind == 0 {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// figure of the server's metrics.
func (s *server) figure(ctx context.Context, name string) (float64, error) {
	_, body, err := s.ask(ctx, metricsRequest())
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	for line := range strings.Lines(string(body)) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	return 0, fmt.Errorf("the metrics do not tell %s", name)
}
