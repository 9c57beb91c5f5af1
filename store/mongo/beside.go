package mongo

import (
	"context"
	"errors"

	"github.com/enroute-field/enroute/sync"
)

var errStub = errors.New("not there yet")

func (s *Store) SaveCheckpoint(context.Context, string, sync.Head, [][]byte) error { return errStub }
func (s *Store) LoadCheckpoint(context.Context, string) (sync.Head, [][]byte, error) {
	return sync.Head{}, nil, errStub
}
func (s *Store) SaveNotes(context.Context, string, map[string][]byte) error { return errStub }
func (s *Store) Notes(context.Context, string, string) (map[string][]byte, error) {
	return nil, errStub
}
