package sqlite

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/enroute-field/enroute/store/faultdisk"
)

// spells make a disk fail with a code several times in a row, now and then:
// one operation in rarity begins a spell.
func spells(code int32, rarity int, kinds ...faultdisk.Kind) faultdisk.Fault {
	left := 0
	return func(op faultdisk.Op) int32 {
		if !slices.Contains(kinds, op.Kind) {
			return faultdisk.OK
		}
		if left == 0 && rand.IntN(rarity) == 0 {
			left = 1 + rand.IntN(3)
		}
		if left == 0 {
			return faultdisk.OK
		}
		left--
		return code
	}
}

// TestTroubledDisk: a disk that fails for moments costs what was asked of it
// in these moments, and nothing else; nor does a power cut later.
func TestTroubledDisk(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultdisk.Fault{
		"full":      spells(faultdisk.Full, 60, faultdisk.Write),
		"write":     spells(faultdisk.NoWrite, 60, faultdisk.Write, faultdisk.Truncate),
		"sync":      spells(faultdisk.NoSync, 5, faultdisk.Sync),
		"read":      spells(faultdisk.NoRead, 60, faultdisk.Read),
		"read only": spells(faultdisk.ReadOnly, 60, faultdisk.Write, faultdisk.Truncate, faultdisk.Delete),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := work(t, "FULL", fault)
			if len(w.commits) == 0 {
				t.Error("nothing was acknowledged")
			}
			for _, err := range w.cut(t, number(t, powerCuts, 24)/8) {
				t.Error(err)
			}
		})
	}
}
