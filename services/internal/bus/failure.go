package bus

import "errors"

// ErrBroker is behind every error of a broker that did not do what it was
// asked, and of nothing else: whoever asks a registry and the broker can tell
// whose failure it is.
var ErrBroker = errors.New("the broker did not do what it was asked")

// failure is an error of the broker's. It reads as what caused it.
type failure struct{ error }

func (f failure) Unwrap() []error { return []error{ErrBroker, f.error} }

// Failed marks an error as the broker's; nil stays nil.
func Failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}
