package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

type settlement struct {
	consumption Consumption
	message     jetstream.Msg
	err         error
	took        time.Duration
}

// settle ends a delivery: exactly one of acknowledge, give back, bury.
func (b *Bus) settle(work, service context.Context, s settlement) {
	var delivered uint64
	var age time.Duration
	meta, err := s.message.Metadata()
	if err == nil {
		delivered, age = meta.NumDelivered, time.Since(meta.Timestamp)
	}
	stopping := service.Err() != nil || work.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), settleTimeout)
	defer cancel()
	act, pause := decide(s.err, delivered, age, s.consumption.MaxAge, stopping)
	log := b.log.With(zap.String("consumer", s.consumption.Durable.Name), zap.Duration("took", s.took),
		zap.Uint64("delivered", delivered))
	switch act {
	case acknowledge:
		err = b.ack(ctx, s)
		log.Debug("message handled")
	case again:
		level := zap.InfoLevel
		if later := new(laterError); errors.As(s.err, &later) {
			level = zap.DebugLevel // waiting is no event
		}
		log.Log(level, "message again", zap.Duration("in", pause), zap.NamedError("reason", s.err))
		err = s.message.NakWithDelay(pause)
	case bury:
		log.Warn("message dead", zap.NamedError("reason", s.err))
		if err = b.bury(ctx, s, meta); err == nil {
			err = b.ack(ctx, s)
		}
	}
	if err != nil {
		// Its lease ends by itself: the message comes again, which every
		// handler bears.
		log.Warn("message not settled", zap.Error(err))
	}
}

func (b *Bus) ack(ctx context.Context, s settlement) error {
	return b.fail.Around(s.consumption.Ack, func() error {
		if err := s.message.DoubleAck(ctx); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		return nil
	})
}
