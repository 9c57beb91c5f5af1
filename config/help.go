package config

import (
	"fmt"
	"io"
	"strings"
)

// Help writes the settings that have a flag, with their variables and
// defaults. Writing stops at the first error of w, which Help does not tell:
// there is no one to tell it to.
func (l *Loader) Help(w io.Writer) {
	c := Default()
	for _, s := range settings() {
		if !l.bound[s.name] {
			continue
		}
		fmt.Fprintf(w, "  --%s\n      %s\n      %s\n", strings.TrimSpace(s.name+" "+s.form), s.help, s.origin(&c))
	}
	fmt.Fprintf(w, "  --config FILE\n      file with settings, as one JSON object with the names above\n      %sCONFIG\n", envPrefix)
}

// origin names the variable and the default.
func (s setting) origin(c *Config) string {
	out := s.variable()
	if s.secret {
		out += " or " + s.variable() + fileSuffix
	}
	if def := s.field(c).String(); def != "" {
		out += " (default " + def + ")"
	}
	return out
}

// Markdown is the table of docs/configuration.md.
func Markdown() string {
	c := Default()
	var b strings.Builder
	b.WriteString("| flag and key | variable | default | what it is |\n|---|---|---|---|\n")
	for _, s := range settings() {
		variable := "`" + s.variable() + "`"
		if s.secret {
			variable += " or `" + s.variable() + fileSuffix + "`"
		}
		def := s.field(&c).String()
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, variable, def, s.help)
	}
	return b.String()
}
