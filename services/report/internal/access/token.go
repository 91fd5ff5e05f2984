// Package access decides who may use the API and the console: whoever has the
// admin token, asking for a name that is ours, from a page that is ours.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Token checks what claims to be the admin token. It holds its hash only.
type Token struct {
	sum [sha256.Size]byte
}

// minToken is the shortest token that may be configured: shorter ones are
// guessed.
const minToken = 16

// Open returns the admin token's check. A configured token is stored (as a
// hash) in place of an older one; without one the stored hash holds, and where
// there is none either, a token is generated and announced.
func Open(ctx context.Context, tokens *state.Table[state.Token], configured string, announce func(token string)) (Token, error) {
	if configured != "" {
		return configure(ctx, tokens, configured)
	}
	stored, err := tokens.Get(ctx, state.AdminToken)
	if errors.Is(err, state.ErrNotFound) {
		// Announced before it is stored: a token that nobody was told would
		// lock everybody out. Of replicas that start at the same moment on a
		// new installation one wins, and the others' tokens are good for
		// nothing: such installations configure theirs.
		token := "lw_" + rand.Text()
		announce(token)
		stored, err = tokens.Create(ctx, failpoint.ConfigToken, state.AdminToken, record(token))
		if errors.Is(err, state.ErrConflict) {
			stored, err = tokens.Get(ctx, state.AdminToken)
		}
	}
	if err != nil {
		return Token{}, err
	}
	return parse(stored.Value.SHA256)
}

func configure(ctx context.Context, tokens *state.Table[state.Token], token string) (Token, error) {
	if len(token) < minToken {
		return Token{}, fmt.Errorf("admin token: want at least %d characters, `openssl rand -hex 24` makes a good one", minToken)
	}
	fresh := record(token)
	_, err := tokens.Change(ctx, failpoint.ConfigToken, state.AdminToken, func(t *state.Token, _ bool) error {
		if t.SHA256 == fresh.SHA256 {
			return state.ErrUnchanged
		}
		*t = fresh
		return nil
	})
	if err != nil {
		return Token{}, err
	}
	return parse(fresh.SHA256)
}

func record(token string) state.Token {
	sum := sha256.Sum256([]byte(token))
	return state.Token{SHA256: hex.EncodeToString(sum[:]), CreatedAt: time.Now().UTC()}
}

func parse(sum string) (Token, error) {
	raw, err := hex.DecodeString(sum)
	if err != nil || len(raw) != sha256.Size {
		return Token{}, errors.New("the stored admin token's hash is not valid; configure a token to replace it")
	}
	var t Token
	copy(t.sum[:], raw)
	return t, nil
}

// Is reports whether the text is the token, in the same time for every other.
func (t Token) Is(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}
