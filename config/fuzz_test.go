package config_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/enroute-field/enroute/config"
)

// FuzzFile: no file makes the program crash, and what is refused names a field.
func FuzzFile(f *testing.F) {
	f.Add(`{"listen":"127.0.0.1:1","demo":true,"sign-in-failures":3}`)
	f.Add(`{"data":{"a":[1]}}`)
	f.Add(`{"token-lifetime":"32767d","body-cache":"8589934592GiB"}`)
	f.Fuzz(func(t *testing.T, content string) {
		c, _, err := load(t, []string{"--config", write(t, "c", content)}, nil)
		var e *config.Error
		if err == nil && (c.TokenLifetime < time.Minute || c.BodyCache < 0 || c.SignInFailures < 1) {
			t.Errorf("accepted %+v", *c)
		}
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v names no field", err)
		}
	})
}

// FuzzSetting: a value of a setting means the same as a flag, as a variable
// and in the file, or is refused from each for the same reason.
func FuzzSetting(f *testing.F) {
	names := []string{
		"listen", "data", "public-url", "log-level", "log-format", "body-cache", "idle-after", "token-lifetime", "sign-in-failures",
		"sign-in-failure-window", "trusted-proxies", "shutdown-grace", "demo", "demo-password",
		"store", "advertise", "lease-term",
	}
	for i, values := range [][]string{
		{"127.0.0.1:0", "[::1%lo]:80", ":65536", "a:b:c"}, {"d", " "}, {"https://x/", "https://[::1", "http://a/?b", "https://x///"}, {"WARN", "warn+1"}, {"json", "JSON"},
		{"16MiB", " 1 KiB", "-1", "9223372036854775807"}, {"0", "1h30m", "-1ns", "1d"}, {"180d", "32768d", "213504d", "-213504d", "1e3s", "59s"}, {"3", "0", "2147483648", "+1"},
		{"1s", "999ms"}, {"10.0.0.0/8, ::1", "fe80::1%eth0", "1.2.3.4/33", ",,", "::ffff:1.2.3.4/96"}, {"3s", "100000h"}, {"true", "T", "yes", ""}, {"twelve chars", "short", "\n"},
		{"mongodb://h/d", "mongodb+srv://h", "MONGODB://h", ""}, {"http://h:1/", "http://h/p", "h:1"}, {"1s", "10s", "999ms"},
	} {
		for _, v := range values {
			f.Add(uint8(i), v)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, v string) {
		name := names[int(which)%len(names)]
		file, err := json.Marshal(map[string]string{name: v})
		if err != nil || !utf8.ValidString(v) {
			return
		}
		variable := "ENROUTE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		byFlag, _, errFlag := load(t, []string{"--" + name + "=" + v}, nil)
		byVariable, _, errVariable := load(t, nil, []string{variable + "=" + v})
		byFile, _, errFile := load(t, []string{"--config", write(t, "c", string(file))}, nil)
		if !reflect.DeepEqual(byFlag, byVariable) || !reflect.DeepEqual(byFlag, byFile) || why(errFlag) != why(errVariable) || why(errFlag) != why(errFile) {
			t.Fatalf("%s = %q: as a flag %v, %v; as a variable %v, %v; in the file %v, %v", name, v, byFlag, errFlag, byVariable, errVariable, byFile, errFile)
		}
		if errFlag != nil && why(errFlag) == "" {
			t.Fatalf("%s = %q: %v names no field", name, v, errFlag)
		}
		if days, isDays := strings.CutSuffix(v, "d"); isDays && name == "token-lifetime" && errFlag == nil {
			if n, err := strconv.Atoi(days); err != nil || byFlag.TokenLifetime.Hours() != 24*float64(n) {
				t.Fatalf("%q is taken for %v", v, byFlag.TokenLifetime)
			}
		}
		if name == "demo-password" && errFlag != nil && len(v) > 3 && strings.Contains(errFlag.Error(), v) {
			t.Fatalf("the secret %q is in %v", v, errFlag)
		}
	})
}

// why a setting was refused, wherever it came from.
func why(err error) string {
	var e *config.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Field + ": " + e.Why
}
