package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
)

// Image reads one image and its places, newest first; ErrNotFound where the
// view has none.
func (v *View) Image(ctx context.Context, d events.Digest) (Image, []Place, error) {
	raw, err := v.redis.Get(ctx, v.keys.image(d)).Bytes()
	if errors.Is(err, redis.Nil) {
		return Image{}, nil, fmt.Errorf("image %s: %w", d, ErrNotFound)
	}
	if err != nil {
		return Image{}, nil, fmt.Errorf("read image %s: %w", d, err)
	}
	var i Image
	if err := json.Unmarshal(raw, &i); err != nil {
		return Image{}, nil, fmt.Errorf("decode image %s: %w", d, err)
	}
	places, err := v.places(ctx, i.Places)
	if err == nil && len(places) == 0 {
		err = fmt.Errorf("image %s: %w", d, ErrNotFound)
	}
	return i, places, err
}

// Images reads several images without their places; those the view does not
// have are left out.
func (v *View) Images(ctx context.Context, digests []events.Digest) (map[events.Digest]Image, error) {
	found := make(map[events.Digest]Image, len(digests))
	if len(digests) == 0 {
		return found, nil
	}
	names := make([]string, len(digests))
	for i, d := range digests {
		names[i] = v.keys.image(d)
	}
	values, err := v.redis.MGet(ctx, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("read images: %w", err)
	}
	for _, value := range values {
		raw, ok := value.(string)
		if !ok {
			continue
		}
		var i Image
		if err := json.Unmarshal([]byte(raw), &i); err != nil {
			return nil, fmt.Errorf("decode image: %w", err)
		}
		found[i.Digest] = i
	}
	return found, nil
}

// Report reads an image's report as JSON; ErrNotFound where the view has none.
func (v *View) Report(ctx context.Context, d events.Digest) ([]byte, error) {
	raw, err := v.redis.Get(ctx, v.keys.report(d)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("report of %s: %w", d, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read report of %s: %w", d, err)
	}
	return unpack(raw)
}

// places reads places by their ids, in that order; what has expired is left
// out.
func (v *View) places(ctx context.Context, ids []string) ([]Place, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = v.keys.place(id)
	}
	values, err := v.redis.MGet(ctx, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	now := v.now()
	list := make([]Place, 0, len(values))
	for i, value := range values {
		raw, ok := value.(string)
		if !ok {
			continue
		}
		p := Place{ID: ids[i]}
		if err := json.Unmarshal([]byte(raw), &p); err != nil {
			return nil, fmt.Errorf("decode place: %w", err)
		}
		if p.ExpiresAt.IsZero() || p.ExpiresAt.After(now) {
			list = append(list, p)
		}
	}
	return list, nil
}
