package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows, in a registry of the server's own.
type metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	digestReports prometheus.Counter
	forwarded     prometheus.Counter
	unmatched     *meter
}

func newMetrics(streams *streams, gauges func() map[string]float64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "enroute_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "enroute_http_request_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{.0005, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route"}),
		digestReports: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "enroute_digest_reports_total", Help: "Devices that had to start over because their digest was another one.",
		}),
	}
	m.forwarded = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "enroute_forwarded_requests_total", Help: "Requests that other nodes have answered.",
	})
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "enroute_live_streams", Help: "Live streams that are open, forwarded ones included.",
	}, func() float64 { return float64(streams.open.Load()) })
	relayed := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "enroute_forwarded_streams", Help: "Live streams that are passed on from other nodes.",
	}, func() float64 { return float64(streams.forwarded.Load()) })
	m.registry.MustRegister(m.requests, m.seconds, m.digestReports, m.forwarded, open, relayed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if gauges != nil {
		m.registry.MustRegister(gaugeCollector(gauges))
	}
	m.unmatched = m.meter("", unknownEndpoint.path, http.StatusNotFound)
	return m
}

// meter counts the requests of one route.
type meter struct {
	metrics       *metrics
	method, route string
	usual         int // the status most answers have, whose counter is at hand
	usualCount    prometheus.Counter
	seconds       prometheus.Observer
}

func (m *metrics) meter(method, route string, usual int) *meter {
	return &meter{
		metrics: m, method: method, route: route, usual: usual,
		usualCount: m.requests.WithLabelValues(method, route, strconv.Itoa(usual)),
		seconds:    m.seconds.WithLabelValues(method, route),
	}
}

func (m *meter) observe(status int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if status == m.usual {
		m.usualCount.Inc()
		return
	}
	m.metrics.requests.WithLabelValues(m.method, m.route, strconv.Itoa(status)).Inc()
}

// gaugeCollector shows values whose names are known only when asked.
type gaugeCollector func() map[string]float64

// Describe nothing: the collector is unchecked.
func (gaugeCollector) Describe(chan<- *prometheus.Desc) {}

// Collect the values of now.
func (g gaugeCollector) Collect(out chan<- prometheus.Metric) {
	for name, value := range g() {
		desc := prometheus.NewDesc("enroute_"+name, strings.ReplaceAll(name, "_", " ")+".", nil, nil)
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}

// show answers GET /metrics.
func (m *metrics) show() func(*call) error {
	h := adaptor.HTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true}))
	return func(c *call) error { return h(c.http) }
}

// healthz says that the process is alive.
func (s *Server) healthz(c *call) error {
	return c.encode(http.StatusOK, map[string]string{"status": "ok", "version": s.o.Version})
}

// readyz says whether the server takes requests: 503 as soon as it stops, or
// when the engine cannot read its store, or not write to it.
func (s *Server) readyz(c *call) error {
	if s.stopping.Load() {
		return unavailable(errStopped)
	}
	if err := s.o.Engine.Healthy(c.ctx); err != nil {
		return unavailable(err)
	}
	return c.encode(http.StatusOK, map[string]string{"status": "ready"})
}
