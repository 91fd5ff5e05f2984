package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/limit"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// LoadConfig reads the configuration file and makes the state agree with it:
// what it defines is written, marked as the file's, and what a file defined
// before and this one no longer does is removed. Objects that came by the API
// stay, unless the file defines one of the same name: then it is the file's
// from now on. Only what differs is written. A blank file is a blank document
// and changes nothing.
func LoadConfig(ctx context.Context, store *state.Store, file string) (config.Document, error) {
	if file == "" {
		return config.Document{}, nil
	}
	data, err := limit.ReadFile(file, config.MaxSize)
	if err != nil {
		return config.Document{}, fmt.Errorf("read configuration: %w", err)
	}
	doc, err := config.Parse(file, data)
	if err != nil {
		return doc, err
	}
	return doc, SyncConfig(ctx, store, doc)
}

// SyncConfig makes the state agree with a document, see LoadConfig.
func SyncConfig(ctx context.Context, store *state.Store, doc config.Document) error {
	registries := make(map[string]config.Registry, len(doc.Registries))
	for _, r := range doc.Registries {
		registries[r.Name] = r
	}
	rules := make(map[string]config.Rule, len(doc.Rules))
	for _, r := range doc.Rules {
		rules[r.Name] = r
	}
	// Registries before the rules that name them, and gone after them.
	if err := write(ctx, store.Registries, failpoint.ConfigRegistry, registries); err != nil {
		return err
	}
	if err := writeDefaults(ctx, store, doc.Defaults); err != nil {
		return err
	}
	if err := write(ctx, store.Rules, failpoint.ConfigRule, rules); err != nil {
		return err
	}
	if err := prune(ctx, store.Rules, failpoint.ConfigRule, rules); err != nil {
		return err
	}
	return prune(ctx, store.Registries, failpoint.ConfigRegistry, registries)
}

func write[T any](ctx context.Context, table *state.Table[state.Managed[T]], p failpoint.Point, want map[string]T) error {
	for name, v := range want {
		managed := state.Managed[T]{Value: v, ManagedBy: state.ManagedByFile}
		if err := writeOne(ctx, table, p, name, managed); err != nil {
			return err
		}
	}
	return nil
}

func writeDefaults(ctx context.Context, store *state.Store, d config.Defaults) error {
	return writeOne(ctx, store.Defaults, failpoint.ConfigRule, state.DefaultsKey, d)
}

// writeOne writes v under key unless it stands there already.
func writeOne[T any](ctx context.Context, table *state.Table[T], p failpoint.Point, key string, v T) error {
	_, err := table.Change(ctx, p, key, func(old *T, exists bool) error {
		if exists && same(*old, v) {
			return state.ErrUnchanged
		}
		*old = v
		return nil
	})
	return err
}

// prune removes the file's objects that it no longer defines.
func prune[T any](ctx context.Context, table *state.Table[state.Managed[T]], p failpoint.Point, want map[string]T) error {
	var gone []state.Record[state.Managed[T]]
	err := table.All(ctx, ">", func(r state.Record[state.Managed[T]]) error {
		if _, wanted := want[r.Key]; !wanted && r.Value.ManagedBy == state.ManagedByFile {
			gone = append(gone, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range gone {
		// Who changed it meanwhile is another service with the same file, or
		// with a newer one: either way it is not ours to remove any more.
		if err := table.Delete(ctx, p, r); err != nil && !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return nil
}

// same compares values as they are stored.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
