package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// openSink opens what the flags name: a server, or the data folder.
func (m *Main) openSink(ctx context.Context, cfg *config.Config, o *importFlags, file *clients.Import, ref string) (clientSink, error) {
	if o.workspace == "" {
		o.workspace = firstWorkspace
	}
	if o.url != "" {
		return signIn(ctx, o, file)
	}
	b, err := openBackend(ctx, cfg, tool, m.Clock, m.logger(cfg))
	if err != nil {
		return nil, err
	}
	w, err := b.engine.Open(ctx, o.workspace)
	if fault.Is(err, fault.NotFound) {
		err = fmt.Errorf("there is no workspace %q", o.workspace)
	}
	if err == nil {
		err = b.claim(ctx, o.workspace)
	}
	if err != nil {
		return nil, b.stopAfter(ctx, cfg.ShutdownGrace, err)
	}
	return &localSink{b: b, w: w, file: file, lang: o.lang, ref: ref, grace: cfg.ShutdownGrace}, nil
}

// localSink writes to the data folder, many rows in a commit.
type localSink struct {
	b         *backend
	w         *sync.Workspace
	file      *clients.Import
	lang, ref string
	grace     time.Duration
}

// put writes the rows in one commit. A commit is all or nothing: when one row
// is refused, each half is tried for itself, down to the rows at fault.
func (s *localSink) put(ctx context.Context, rows []clients.ImportRow) ([]complaint, error) {
	err := s.write(ctx, rows)
	refused, ok := errors.AsType[*fault.Error](err)
	switch {
	case err == nil:
		return nil, nil
	case !ok || refused.Code.Status() >= 500:
		return nil, err
	case len(rows) == 1:
		return complaints(s.file.Refused(rows[0].Number, err), s.lang), nil
	}
	half := len(rows) / 2
	first, err := s.put(ctx, rows[:half])
	if err != nil {
		return first, err
	}
	second, err := s.put(ctx, rows[half:])
	return append(first, second...), err
}

func (s *localSink) write(ctx context.Context, rows []clients.ImportRow) error {
	mutations := make([]sync.Mutation, len(rows))
	for i, r := range rows {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an identifier: %w", err)
		}
		mutations[i] = sync.Mutation{Kind: clients.KindClient, DocID: id.String(), Op: sync.Create, Set: r.Fields}
	}
	_, err := s.w.Write(ctx, sync.System("import"), sync.Write{
		Cause: sync.Cause{Kind: "import", Ref: s.ref}, Mutations: mutations,
	})
	return err
}

func (s *localSink) close(ctx context.Context) error { return s.b.stopAfter(ctx, s.grace, nil) }
