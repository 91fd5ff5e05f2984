package ingest

import (
	"net/http"
	"strconv"
	"strings"
)

// handshake answers the CloudEvents webhook validation (HTTP 1.1 Web Hooks for
// Event Delivery, section 4): the sender asks whether it may deliver. Who knows
// the secret may. The callback address that such a request can hold is never
// called: whoever sends the request chooses it.
func (r *receiver) handshake(w http.ResponseWriter, req *http.Request) {
	if err := r.directory.ready(); err != nil {
		r.refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	e := r.directory.find(req.PathValue("registry"))
	if !e.greets(req, req.PathValue("secret")) {
		r.unauthorized(w, req, nil)
		return
	}
	w.Header().Set("Allow", http.MethodPost)
	if origin := req.Header.Get("WebHook-Request-Origin"); validOrigin(origin) {
		const minute = 60
		w.Header().Set("WebHook-Allowed-Origin", origin)
		w.Header().Set("WebHook-Allowed-Rate", strconv.Itoa(max(int(e.perSecond*minute), 1)))
	}
	r.metrics.deliveries.WithLabelValues("200").Inc()
	w.WriteHeader(http.StatusOK)
}

// validOrigin tells a host name, which is sent back, from anything else.
func validOrigin(s string) bool {
	const longest = 253
	return s != "" && len(s) <= longest && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}
