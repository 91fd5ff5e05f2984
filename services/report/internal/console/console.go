// Package console is the report service's pages for people: rendered by the
// server, without anything from elsewhere, renewed by a small script as events
// come in.
package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/access"
	"github.com/landwaiter/landwaiter/services/report/internal/project"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// Options are what the console shows and who may see it.
type Options struct {
	View      *view.View
	Projector *project.Projector
	Keeper    *project.Keeper
	// State is asked for what is configured, and for what images wait for.
	State *state.Store
	// WebhookURL gives a registry's webhook address; nil: it is not known.
	WebhookURL func(config.Registry) (string, error)
	Guard      access.Guard
	Log        *zap.Logger
}

// Console serves the pages.
type Console struct {
	Options
	pages map[string]*template.Template
}

// New parses the pages.
func New(o Options) (*Console, error) {
	c := &Console{Options: o, pages: map[string]*template.Template{}}
	for _, name := range []string{"login", "images", "image", "registries", "registry", "rules", "rule", "message"} {
		t, err := template.New("layout.html").Funcs(functions()).
			ParseFS(pageFiles, "pages/layout.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		c.pages[name] = t
	}
	return c, nil
}

// Handler is the console.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	static := http.FileServerFS(staticFiles)
	mux.Handle("GET /static/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		static.ServeHTTP(w, r)
	}))
	mux.HandleFunc("GET /login", c.loginPage)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
	mux.Handle("GET /{$}", c.members(c.images))
	mux.Handle("GET /images/{digest}", c.members(c.image))
	mux.Handle("GET /registries", c.members(c.registries))
	mux.Handle("GET /registries/{name}", c.members(c.registry))
	mux.Handle("GET /rules", c.members(c.rules))
	mux.Handle("GET /rules/{name}", c.members(c.rule))
	mux.Handle("GET /new/rule", c.members(c.newRule))
	mux.Handle("/", c.members(func(w http.ResponseWriter, _ *http.Request) error {
		c.message(w, http.StatusNotFound, "There is no such page", "The list of images is a good place to begin.")
		return nil
	}))
	return mux
}

// page is what every page is rendered with.
type page struct {
	Title    string
	Member   bool // somebody is logged in
	Building bool
	Here     string // this page's address, for the script to fetch again
	Content  any
}

// members sends whoever is not logged in to the login page.
func (c *Console) members(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			if r.Context().Err() == nil {
				c.Log.Warn("page not shown", zap.String("path", r.URL.Path), zap.Error(err))
			}
			c.message(w, http.StatusServiceUnavailable, "This page cannot be shown now",
				"The store or the broker did not answer. Try again in a moment; the service's log says more.")
		}
	})
	return c.Guard.Admin(show, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Landwaiter-Fragment") != "" {
			w.WriteHeader(http.StatusUnauthorized) // the script goes to the login page itself
			return
		}
		//nolint:gosec // a path of this site with an escaped query
		http.Redirect(w, r, "/login?next="+template.URLQueryEscaper(r.URL.RequestURI()), http.StatusSeeOther)
	}))
}

// render writes a page whole, or not at all.
func (c *Console) render(w http.ResponseWriter, status int, name string, p page) error {
	p.Building = p.Building || (p.Member && !c.Keeper.Built())
	var b bytes.Buffer
	if err := c.pages[name].Execute(&b, p); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

type message struct{ Head, Text string }

func (c *Console) message(w http.ResponseWriter, status int, head, text string) {
	if err := c.render(w, status, "message", page{Title: head, Member: true, Content: message{head, text}}); err != nil {
		c.Log.Error("page broken", zap.Error(err))
		w.WriteHeader(http.StatusInternalServerError)
	}
}

type loginForm struct{ Next, Error string }

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	c.showLogin(w, http.StatusOK, loginForm{Next: local(r.URL.Query().Get("next"))})
}

func (c *Console) showLogin(w http.ResponseWriter, status int, f loginForm) {
	if err := c.render(w, status, "login", page{Title: "Log in", Content: f}); err != nil {
		c.Log.Error("page broken", zap.Error(err))
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		c.showLogin(w, http.StatusBadRequest, loginForm{Next: "/", Error: "That was no login form."})
		return
	}
	next := local(r.PostForm.Get("next"))
	if !c.Guard.Token.Is(strings.TrimSpace(r.PostForm.Get("token"))) {
		c.Log.Info("login refused", zap.String("from", r.RemoteAddr))
		c.showLogin(w, http.StatusUnauthorized, loginForm{Next: next, Error: "That is not the admin token."})
		return
	}
	c.Guard.Sessions.Begin(w, r)
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // local made it a path of this site
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	c.Guard.Sessions.End(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local keeps a redirect on this site.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}
