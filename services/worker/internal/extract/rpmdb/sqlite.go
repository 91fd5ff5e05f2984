package rpmdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

const (
	sqliteMagic = "SQLite format 3\x00"
	// A header is some kilobytes, a kernel's with its file list 1 MiB; rpm
	// itself refuses 256 MiB.
	sqliteMaxValue = 32 << 20
	// SQLITE_LIMIT_LENGTH of SQLite's C interface.
	sqliteLimitLength = 0
)

// readSQLite opens the database in memory. The schema comes from the layer
// too: only a plain table is read, never a view or a computed column.
func readSQLite(ctx context.Context, data []byte, add func(header []byte)) (err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return fmt.Errorf("open sqlite: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open sqlite: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := load(conn, data); err != nil {
		return fmt.Errorf("load sqlite database: %w", err)
	}
	if _, err := sqlite.Limit(conn, sqliteLimitLength, sqliteMaxValue); err != nil {
		return fmt.Errorf("limit sqlite: %w", err)
	}
	var schema string
	err = conn.QueryRowContext(ctx, `SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'Packages'`).Scan(&schema)
	if err != nil {
		return fmt.Errorf("find table Packages: %w", errors.Join(ErrFormat, err))
	}
	if strings.Contains(schema, "/*") || strings.Contains(schema, "--") {
		return fmt.Errorf("schema of table Packages has a comment: %w", ErrFormat) // could hide words
	}
	words := strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(strings.ToUpper(schema)))
	if slices.Contains(words, "AS") || slices.Contains(words, "VIRTUAL") {
		return fmt.Errorf("table Packages is computed: %w", ErrFormat)
	}
	return readRows(ctx, conn, add)
}

func readRows(ctx context.Context, conn *sql.Conn, add func(header []byte)) (err error) {
	rows, err := conn.QueryContext(ctx, `SELECT blob FROM Packages`)
	if err != nil {
		return fmt.Errorf("read table Packages: %w", errors.Join(ErrFormat, err))
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var header []byte
		if err := rows.Scan(&header); err != nil {
			return fmt.Errorf("read table Packages: %w", err)
		}
		add(header)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read table Packages: %w", err)
	}
	return nil
}

// load makes data the connection's database.
func load(conn *sql.Conn, data []byte) error {
	if len(data) < 100 {
		return ErrFormat
	}
	// rpm sets the journal mode "wal", with which SQLite cannot open a database
	// in memory; 1 says "rollback journal", and there is none.
	write, read := data[18], data[19]
	data[18], data[19] = 1, 1
	defer func() { data[18], data[19] = write, read }()
	return conn.Raw(func(driver any) error {
		c, ok := driver.(interface{ Deserialize(buf []byte) error })
		if !ok {
			return errors.ErrUnsupported
		}
		return c.Deserialize(data)
	})
}
