package state_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Whatever an object's size, and however it is read therefore: what was stored
// is what is read, no more than the limit, and nothing once it is gone.
func TestObjectsOfEverySizeAreRead(t *testing.T) {
	_, st := start(t)
	const chunk = 128 << 10
	random := rand.NewChaCha8([32]byte{})
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 8 * chunk, 8*chunk + 1, 20 * chunk} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			content := make([]byte, size)
			if _, err := random.Read(content); err != nil {
				t.Fatal(err)
			}
			d, err := st.Reports.Put(t.Context(), object, content)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := st.Reports.Get(t.Context(), d, int64(size)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if got, err := st.Reports.Get(t.Context(), d, int64(size)-1); err == nil && size > 0 {
				t.Errorf("read %d bytes, over the limit", len(got))
			}
			if err := st.Reports.Remove(t.Context(), failpoint.KeeperObject, d, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got, err := st.Reports.Get(t.Context(), d, int64(size)); !errors.Is(err, state.ErrNotFound) {
				t.Errorf("read %d bytes of what was removed, %v", len(got), err)
			}
		})
	}
}
