package config

import "strings"

// setting is one row of the table: a field of Config and all that is said
// about it. Its name is the flag and the file's key; the environment variable
// is derived from it.
type setting struct {
	name   string
	form   string // placeholder of the value in help
	help   string
	secret bool
	field  func(c *Config) value
}

// settings is the table, in the order of the help text.
func settings() []setting {
	return []setting{
		{name: "listen", form: "HOST:PORT", help: "address to serve on; port 0 takes a free one",
			field: func(c *Config) value { return (*address)(&c.Listen) }},
		{name: "data", form: "DIR", help: "folder that holds everything the server keeps",
			field: func(c *Config) value { return (*text)(&c.Data) }},
		{name: "store", form: "URI", secret: true,
			help:  "MongoDB database, as mongodb://host/enroute, that holds everything instead of the folder; any number of nodes may serve it",
			field: func(c *Config) value { return (*database)(&c.Store) }},
		{name: "advertise", form: "URL", help: "address at which the other nodes over the same store reach this one, when it is not http:// and the listen address",
			field: func(c *Config) value { return (*nodeURL)(&c.Advertise) }},
		{name: "lease-term", form: "DURATION", help: "time within which a node over the store that dies is replaced",
			field: func(c *Config) value { return &duration{&c.LeaseTerm, minLeaseTerm} }},
		{name: "public-url", form: "URL", help: "address people use, when it is not http:// and the listen address",
			field: func(c *Config) value { return (*baseURL)(&c.PublicURL) }},
		{name: "log-level", form: "LEVEL", help: "debug, info, warn or error",
			field: func(c *Config) value { return (*level)(&c.LogLevel) }},
		{name: "log-format", form: "FORMAT", help: "text or json",
			field: func(c *Config) value { return &choice{&c.LogFormat, []string{"text", "json"}} }},
		{name: "body-cache", form: "SIZE", help: "memory for document bodies, as 16MiB or 1GiB",
			field: func(c *Config) value { return (*size)(&c.BodyCache) }},
		{name: "idle-after", form: "DURATION", help: "a workspace unused for so long leaves memory; 0 is never",
			field: func(c *Config) value { return &duration{&c.IdleAfter, 0} }},
		{name: "token-lifetime", form: "DURATION", help: "how long a sign-in lasts, as 180d or 12h",
			field: func(c *Config) value { return &duration{&c.TokenLifetime, minTokenLifetime} }},
		{name: "sign-in-failures", form: "N", help: "failed sign-ins of one account in a window before it has to wait",
			field: func(c *Config) value { return (*count)(&c.SignInFailures) }},
		{name: "sign-in-address-failures", form: "N", help: "the same for one network address",
			field: func(c *Config) value { return (*count)(&c.SignInAddressFailures) }},
		{name: "sign-in-failure-window", form: "DURATION", help: "the window in which failed sign-ins are counted",
			field: func(c *Config) value { return &duration{&c.SignInFailureWindow, minFailureWindow} }},
		{name: "trusted-proxies", form: "CIDR,…", help: "networks of reverse proxies whose X-Forwarded-For counts as the address of a sign-in",
			field: func(c *Config) value { return (*prefixes)(&c.TrustedProxies) }},
		{name: "shutdown-grace", form: "DURATION", help: "how long a stop waits for requests under way",
			field: func(c *Config) value { return &duration{&c.ShutdownGrace, 0} }},
		{name: "demo", help: "seed the workspace demo, once, and serve it",
			field: func(c *Config) value { return (*boolean)(&c.Demo) }},
		{name: "demo-password", form: "PASSWORD", secret: true,
			help:  "password of the demo's accounts instead of the published one; at least 12 characters",
			field: func(c *Config) value { return (*secret)(&c.DemoPassword) }},
	}
}

// variable is the environment variable of the setting.
func (s setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

const (
	envPrefix  = "ENROUTE_"
	fileSuffix = "_FILE" // of a variable that names the file of a secret
)
