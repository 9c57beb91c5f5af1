package listing

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/sync"
)

func drawFacts[C Column](t *rapid.T, column *rapid.Generator[C]) Facts[C] {
	f := Facts[C]{
		Entries: rapid.SliceOf(rapid.Custom(func(t *rapid.T) Entry[C] {
			e := Entry[C]{Column: column.Draw(t, "column"), Order: rapid.String().Draw(t, "order")}
			e.Exact = rapid.SampledFrom([]string{e.Order, "", rapid.String().Draw(t, "other")}).Draw(t, "exact")
			return e
		})).Draw(t, "entries"),
		Words: rapid.SliceOf(rapid.StringMatching(`[a-zé0-9]{1,9}`)).Draw(t, "words"),
	}
	f.Tidy()
	return f
}

// TestFactsRoundTrip: what is packed is unpacked, whatever columns are named by.
func TestFactsRoundTrip(t *testing.T) {
	t.Parallel()
	t.Run("by integer", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, rapid.Int64Range(1, 300))
	})
	t.Run("by name", func(t *testing.T) {
		t.Parallel()
		roundTrip(t, rapid.SampledFrom([]string{"", "name", "custom.é", "0"}))
	})
}

func roundTrip[C Column](t *testing.T, column *rapid.Generator[C]) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t, column)
		got, err := ReadRow[C]("id", f.Row("id"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Entries, f.Entries) || !slices.Equal(got.Words, f.Words) {
			t.Fatalf("%+v came back as %+v", f, got)
		}
		if _, err := ReadRow[C]("other", f.Row("id")); !errors.Is(err, sync.ErrDamaged) {
			t.Fatalf("the row of another document gave %v", err)
		}
	})
}

// FuzzUnpack: any bytes are read without panic or great memory, and what is
// read packs to what reads alike.
func FuzzUnpack(f *testing.F) {
	byInteger := Facts[int64]{Entries: []Entry[int64]{{1, "a", "A"}, {2, "b", "b"}}, Words: []string{"x", "y"}}
	byName := Facts[string]{Entries: []Entry[string]{{"name", "a", "A"}, {"code", "b", ""}}, Words: []string{"x"}}
	f.Add(byInteger.pack())
	f.Add(byName.pack())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzUnpack[int64](t, b)
		fuzzUnpack[string](t, b)
	})
}

func fuzzUnpack[C Column](t *testing.T, b []byte) {
	t.Helper()
	got, err := unpack[C](b)
	if err != nil {
		if !errors.Is(err, sync.ErrDamaged) {
			t.Fatal(err)
		}
		return
	}
	again, err := unpack[C](got.pack())
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Fatalf("%+v, then %+v, %v", got, again, err)
	}
	if _, err := unpack[C](append(slices.Clip(b), 0)); !errors.Is(err, sync.ErrDamaged) {
		t.Fatalf("with one byte more: %v", err)
	}
}
