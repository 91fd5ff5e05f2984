package landwaiter

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// scanning is what the scan command was asked.
type scanning struct {
	env        Env
	connection *connection
	ref        string
	local      bool
	wait       bool
	force      bool
	refetch    bool
	platforms  []string
	output     string
	failOn     string
	threshold  verdict.Severity
	data       string
	advisories string
}

func scanCommand(env Env) *cobra.Command {
	s := &scanning{env: env}
	cmd := &cobra.Command{
		Use:   "scan REF",
		Short: "Scan one image, through a pipeline that runs or (--local) in this process",
		Long: "scan asks the pipeline to scan an image at one of its registries. With --local the\n" +
			"same engine scans it here, without a pipeline; REF may then also be oci:DIR,\n" +
			"oci-archive:FILE or docker-archive:FILE.\n\n" +
			"Exit codes: 1 when the scan failed; with --fail-on, 2 when a finding is that severe\n" +
			"or worse, and 3 when none is known but not everything could be known.",
		Args: exactly(1, "an image's reference"),
	}
	s.connection = connect(cmd, env)
	f := cmd.Flags()
	f.BoolVar(&s.local, "local", false, "scan in this process, without a pipeline")
	f.BoolVar(&s.wait, "wait", false, "wait for the report and print it; -o and --fail-on imply it")
	f.BoolVar(&s.force, "force", false, "scan again what is known; layers that were read are not read again (not with --local)")
	f.BoolVar(&s.refetch, "refetch", false, "as --force, and read the layers again, too (not with --local)")
	f.StringSliceVar(&s.platforms, "platform", nil, "`PLATFORM` of an image for several, as linux/amd64 (default: all; with --local this machine's)")
	f.StringVar(&s.failOn, "fail-on", "", "exit with 2 for a finding of this `SEVERITY` or worse")
	f.StringVar(&s.data, "data", "", "`DIR` of `landwaiter up`, whose advisories --local uses (LANDWAITER_DATA)")
	f.StringVar(&s.advisories, "advisories", "", "`DIR|URL` of advisories in OSV export layout for --local (LANDWAITER_ADVISORIES_SOURCE)")
	output := outputFlag(cmd, reportForms()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.ref, s.output = args[0], *output
		s.wait = s.wait || s.failOn != "" || cmd.Flags().Changed("output")
		var err error
		if s.threshold, err = severityOf(s.failOn); err != nil {
			return err
		}
		if err := checkOutput(s.output, reportForms()...); err != nil {
			return err
		}
		if s.local {
			return s.here(cmd.Context())
		}
		return s.there(cmd.Context())
	}
	return cmd
}

// exactly asks for n arguments, and says which.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s takes %s: %s", cmd.Name(), what, cmd.UseLine())
		}
		return nil
	}
}

// there scans through the pipeline.
func (s *scanning) there(ctx context.Context) error {
	c, err := s.connection.client()
	if err != nil {
		return err
	}
	r := &requester{client: c, env: s.env}
	request, err := r.ask(ctx, order{Image: s.ref, Platforms: s.platforms, Force: s.force, Refetch: s.refetch})
	if err != nil {
		return err
	}
	if !s.wait {
		return s.accepted(request)
	}
	request, err = r.await(ctx, request)
	if err != nil {
		return err
	}
	if s.output != asTable && s.output != asJSON {
		return s.converted(ctx, r, request)
	}
	reports, err := r.reports(ctx, request)
	if err != nil {
		return err
	}
	if err := writeReports(s.env.Stdout, s.output, reports); err != nil {
		return err
	}
	return gate(s.env, s.threshold, reports)
}

// accepted tells what was asked for, where nobody waits for it.
func (s *scanning) accepted(request answered) error {
	t := &printout.Table{}
	t.Row("REQUEST", "PLATFORM", "DIGEST", "STATE")
	for _, scan := range request.Scans {
		t.Row(request.ID, scan.Platform.String(), scan.Digest, scan.State)
	}
	if len(request.Scans) == 0 {
		t.Row(request.ID, "", "", request.State)
	}
	if err := t.Write(s.env.Stdout); err != nil {
		return err
	}
	if request.State == "failed" {
		return errors.New("nothing is scanned: " + printout.Clean(request.Error))
	}
	s.env.warn("`%s report %s` shows the report when it is there", s.env.Program, s.ref)
	return nil
}

// converted prints a report in a form that the server makes.
func (s *scanning) converted(ctx context.Context, r *requester, request answered) error {
	if len(request.Scans) != 1 {
		return fmt.Errorf("%d images were scanned; pick one with --platform for the output %s", len(request.Scans), s.output)
	}
	report, err := r.report(ctx, request.Scans[0].Digest, s.ref)
	if err != nil {
		return err
	}
	raw, err := r.rendered(ctx, request.Scans[0].Digest, s.ref, s.output)
	if err != nil {
		return err
	}
	if _, err := s.env.Stdout.Write(raw); err != nil {
		return err
	}
	return gate(s.env, s.threshold, []verdict.Report{report})
}
