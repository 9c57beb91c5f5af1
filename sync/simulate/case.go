package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Case is a history that can be played again: one that failed, cut down to
// what it needs for that.
type Case struct {
	Property string   `json:"property"`           // that it violates
	Detail   string   `json:"detail"`             // how it did when it was kept
	Sabotage Sabotage `json:"sabotage,omitempty"` // with which it does
	Nodes    int      `json:"nodes,omitempty"`    // of the server; 0: one
	Store    Store    `json:"store,omitempty"`
	Seed     uint64   `json:"seed"`
	Steps    []Step   `json:"steps"`
}

// CaseOf makes a case of what failed. What comes after the step that noticed
// is left out.
func CaseOf(v *Violation, sabotage Sabotage) Case {
	return Case{Property: v.Property, Detail: v.Detail, Sabotage: sabotage, Nodes: v.Nodes, Store: v.Store, Seed: v.Seed, Steps: v.Taken}
}

// Play plays the case; dir is that of Config. The violation is nil if no
// property was violated.
func (c Case) Play(ctx context.Context, dir string) (*Violation, error) {
	_, err := Run(ctx, Config{Seed: c.Seed, Steps: c.Steps, Nodes: c.Nodes, Store: c.Store, Dir: dir, Sabotage: c.Sabotage})
	if v, ok := errors.AsType[*Violation](err); ok {
		return v, nil
	}
	return nil, err
}

// Name of the case's file.
func (c Case) Name() string {
	if c.Sabotage != "" {
		return fmt.Sprintf("without-%s.json", c.Sabotage)
	}
	return fmt.Sprintf("%s-%d.json", c.Property, c.Seed)
}

// Save writes the case into a folder and gives the path.
func (c Case) Save(folder string) (string, error) {
	text, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return "", fmt.Errorf("write case: %w", err)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", fmt.Errorf("save case: %w", err)
	}
	path := filepath.Join(folder, c.Name())
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("save case: %w", err)
	}
	return path, nil
}

// LoadCase reads one that was saved.
func LoadCase(path string) (c Case, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("load case: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("load case %s: %w", path, err)
	}
	return c, nil
}
