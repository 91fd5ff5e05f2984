package rpmdb

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Berkeley DB's hash file, as rpm used it until version 4.15: pages of one
// size, the first describing the file. A package header is longer than a page
// and lies on a chain of overflow pages.
const (
	bdbHashMagic    = 0x061561
	bdbPageHeader   = 26
	bdbUnsortedHash = 2
	bdbOverflow     = 7
	bdbHash         = 13
	bdbOffPage      = 3 // an entry that points at overflow pages
	bdbOffPageSize  = 12
)

type bdb struct {
	order binary.ByteOrder
	size  int // of a page
	data  []byte
	seen  map[uint32]bool // overflow pages already read: each belongs to one package
}

func readBDB(ctx context.Context, data []byte, add func(header []byte)) error {
	if len(data) < 512 {
		return fmt.Errorf("berkeley db of %d bytes: %w", len(data), ErrFormat)
	}
	db := bdb{order: binary.LittleEndian, data: data, seen: map[uint32]bool{}}
	if db.order.Uint32(data[12:]) != bdbHashMagic {
		db.order = binary.BigEndian
	}
	if db.order.Uint32(data[12:]) != bdbHashMagic {
		return fmt.Errorf("unknown magic %x: %w", data[12:16], ErrFormat)
	}
	switch size := db.order.Uint32(data[20:]); size {
	case 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536:
		db.size = int(size)
	default:
		return fmt.Errorf("page size %d: %w", size, ErrFormat)
	}
	last := db.order.Uint32(data[32:])
	if int64(last) >= db.pages() {
		return fmt.Errorf("last page %d of a file of %d bytes: %w", last, len(data), ErrFormat)
	}
	for number := range last + 1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := db.readPage(db.page(number), add); err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	return nil
}

// pages is how many whole pages there are.
func (db *bdb) pages() int64 { return int64(len(db.data) / db.size) }

// page returns a page whose number was checked against the file's size.
func (db *bdb) page(number uint32) []byte {
	return db.data[int(number)*db.size:][:db.size]
}

func (db *bdb) readPage(page []byte, add func(header []byte)) error {
	if kind := page[25]; kind != bdbHash && kind != bdbUnsortedHash {
		return nil
	}
	entries := int(db.order.Uint16(page[20:]))
	if entries%2 != 0 || bdbPageHeader+2*entries > len(page) {
		return fmt.Errorf("%d entries: %w", entries, ErrFormat)
	}
	// Keys and values alternate.
	for i := 1; i < entries; i += 2 {
		at := int(db.order.Uint16(page[bdbPageHeader+2*i:]))
		if at+bdbOffPageSize > len(page) || page[at] != bdbOffPage {
			continue
		}
		header, err := db.chain(db.order.Uint32(page[at+4:]))
		if err != nil {
			return err
		}
		add(header)
	}
	return nil
}

// chain returns the bytes on the chain of overflow pages.
func (db *bdb) chain(number uint32) ([]byte, error) {
	var value []byte
	for number != 0 {
		if int64(number) >= db.pages() || db.seen[number] {
			return nil, fmt.Errorf("overflow page %d: %w", number, ErrFormat)
		}
		db.seen[number] = true
		page := db.page(number)
		if page[25] != bdbOverflow {
			return nil, fmt.Errorf("overflow page %d has type %d: %w", number, page[25], ErrFormat)
		}
		content := page[bdbPageHeader:]
		number = db.order.Uint32(page[16:])
		if number == 0 { // only the last page is not full
			content = content[:min(int(db.order.Uint16(page[22:])), len(content))]
		}
		value = append(value, content...)
	}
	return value, nil
}
