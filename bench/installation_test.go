package bench

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// TestAddressOfAnotherDatabase: the same server, account and options, and
// never the database that the operator named.
func TestAddressOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"mongodb://127.0.0.1:27122":                       "mongodb://127.0.0.1:27122/own?",
		"mongodb://127.0.0.1:27122/":                      "mongodb://127.0.0.1:27122/own?",
		"mongodb://a,b:1/enroute?replicaSet=rs0":          "mongodb://a,b:1/own?replicaSet=rs0",
		"mongodb://u:p%2F@a/enroute":                      "mongodb://u:p%2F@a/own?authSource=enroute",
		"mongodb://u:p@a/enroute?tls=true":                "mongodb://u:p@a/own?tls=true&authSource=enroute",
		"mongodb://u:p@a/enroute?authSource=admin":        "mongodb://u:p@a/own?authSource=admin",
		"mongodb://u:p@a/?maxPoolSize=3":                  "mongodb://u:p@a/own?maxPoolSize=3&authSource=admin",
		"mongodb://u:p@a/e?AUTHSOURCE=admin&replicaSet=r": "mongodb://u:p@a/own?AUTHSOURCE=admin&replicaSet=r",
	} {
		cs, err := connstring.ParseAndValidate(given)
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		got := in(cs, "own")
		if got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
		again, err := connstring.ParseAndValidate(got)
		if err != nil || again.Database != "own" || again.AuthSource != cs.AuthSource || again.Password != cs.Password {
			t.Errorf("%s is read as %+v, %v", got, again, err)
		}
	}
}

// TestBalanced: connections come to all nodes alike, and those of a workspace
// as a balancer deals them out, not always to the node that serves it.
func TestBalanced(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3} {
		in := &installation{}
		for i := range nodes {
			in.nodes = append(in.nodes, &server{process: &process{address: string(rune('a' + i))}})
		}
		reached, served := map[string]int{}, 0
		const connections, workspaces = 36, 12
		for i := range connections {
			address := in.balanced(i)
			reached[address]++
			if address == in.nodes[i%workspaces%nodes].address {
				served++
			}
		}
		if len(reached) != nodes || reached["a"] != connections/nodes || served != connections/nodes {
			t.Errorf("%d nodes: %v, %d at the one that serves", nodes, reached, served)
		}
	}
}
