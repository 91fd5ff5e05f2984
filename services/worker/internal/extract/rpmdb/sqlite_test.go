package rpmdb_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract/rpmdb"
)

// TestReadRefusesSchemas opens databases whose table is not what rpm makes.
func TestReadRefusesSchemas(t *testing.T) {
	for name, schema := range map[string]string{
		"no table":            `CREATE TABLE other (blob BLOB)`,
		"view":                `CREATE VIEW Packages AS SELECT zeroblob(1000000000) AS blob`,
		"computed column":     `CREATE TABLE Packages (n INTEGER, blob BLOB GENERATED ALWAYS AS (zeroblob(1000000000)))`,
		"hidden in a comment": `CREATE TABLE Packages (n INTEGER, blob BLOB/**/AS/**/(zeroblob(1000000000)))`,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "db")
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), schema); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rpmdb.Read(t.Context(), data); !errors.Is(err, rpmdb.ErrFormat) {
				t.Errorf("got %v", err)
			}
		})
	}
}
