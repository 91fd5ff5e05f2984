package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proofs leads from a promise of the feature table to the tests that hold it:
// file, then function. Rules in test/e2e/testdata/rules name their row
// themselves.
var proofs = map[string][]string{
	"R1":  {"services/internal/registry/vendor_test.go TestVendors", "services/internal/registry/aws_test.go TestECRLists"},
	"R2":  {"services/internal/config/values_test.go TestRegistryHost"},
	"R3":  {"test/e2e/testdata/rules/R3-exclusions.yaml"},
	"R4":  {"test/e2e/testdata/rules/R4-signatures-are-none.yaml", "services/worker/dates_test.go TestR4AChartIsNoImageForGood"},
	"R5":  {"services/internal/config/credential_test.go TestAWSCredential", "services/report/confirm_test.go TestCredentialsAreHeldUntilConfirmed"},
	"R6":  {"test/e2e/testdata/rules/R6-windows.yaml", "services/worker/sign_test.go TestWorkerSaysWhatItTakes"},
	"R7":  {"test/e2e/testdata/rules/R7-pool.yaml", "services/worker/sign_test.go TestDeadWorkerGivesItsShareBack", "test/e2e/pools_test.go TestPoolsAndScanners"},
	"R8":  {"test/e2e/testdata/rules/R8-scanners.yaml", "services/worker/sweep_test.go TestWindowIsNeverExceeded", "test/e2e/pools_test.go TestPoolsAndScanners"},
	"R9":  {"test/e2e/testdata/rules/R9-cap.yaml", "services/worker/dates_test.go TestR9NewestFirst"},
	"R10": {"test/e2e/testdata/rules/R10-epoch-sorts-last.yaml", "services/worker/dates_test.go TestR10DateOfAnImage"},
	"R11": {"services/internal/config/values_test.go TestEffective"},
	"R12": {"test/rows_test.go TestReadmeSaysThatContainersLimitNoScan"},
	"R13": {
		"test/e2e/testdata/rules/R13-retention.yaml", "test/e2e/retention_test.go TestRetention",
		"services/worker/sweep_faults_test.go TestOurOwnOutageCountsAgainstNoImage",
		"services/worker/retention_told_test.go TestAChangedRetentionReachesTheMissing",
	},
	"R14": {"services/worker/sweep_rules_test.go TestImageOfSeveralRulesIsScannedOnce"},
	"Q2":  {"services/worker/trial_test.go TestTrial"},
	"Q3":  {"services/internal/registry/auth_test.go TestTokenAuth"},
	"Q4":  {"services/worker/sweep_control_test.go TestSweepWithoutARule"},
	"Q5":  {"test/e2e/testdata/rules/Q5-full-paths.yaml"},
	"Q6":  {"test/e2e/testdata/rules/Q6-yesterday.yaml", "services/internal/rule/window_test.go TestPushed"},
	"Q7":  {"test/e2e/testdata/rules/Q7-schedule.yaml", "services/internal/rule/schedule_test.go TestEachDueOnce", "services/cron/scheduler_test.go TestOnlyTheLatestMissedIsCaughtUp"},
	"Q8": {
		"test/e2e/testdata/rules/Q8-immutableTags.yaml", "test/e2e/testdata/rules/Q8-onPush-false.yaml",
		"services/worker/sweep_test.go TestSweepFindsWhatItsRuleNames",
		"services/worker/rule_fields_test.go TestImmutableTags", "services/worker/rule_fields_test.go TestOnPush",
	},
	"Q9":  {"services/worker/refetch_test.go TestQ9RefetchReadsEachLayerAgainOnce", "services/worker/sweep_rules_test.go TestScanAllScansAgainWithoutReadingLayers"},
	"Q10": {"test/e2e/testdata/rules/Q10-a-dot-is-a-dot.yaml", "services/internal/rule/rule_test.go TestPattern"},
	"Q12": {
		"services/worker/sweep_control_test.go TestCancelledSweepStaysCancelled",
		"services/worker/sweep_misses_test.go TestRestartAfterACancelForgetsNoRepository",
	},
	"Q13": {
		"services/report/internal/api/sweep_left_test.go TestTimeLeft", "services/worker/sweep_control_test.go TestRestartedSweep",
		"services/report/sweeps_test.go TestSweepOnDemand",
	},
	"P13": {"test/e2e/testdata/rules/P13-index.yaml"},
	"P14": {"services/worker/internal/registries/budget_test.go TestBudgetIsShared", "services/worker/internal/registries/pause_test.go TestPauseHoldsForAllWorkers"},
	"P16": {"services/internal/registry/auth_test.go TestTLS"},
	"P24": {"services/worker/sweep_fair_test.go TestSweepDelaysNoPush"},
	"N4":  {"services/worker/coverage_test.go TestCoverage"},
	"N5":  {"services/worker/sweep_faults_test.go TestSweepGoesOnWhereItStopped"},
}

// Rows of which nothing but a test says that they hold must have one.
func TestRowsHaveProofs(t *testing.T) {
	for row := range strings.FieldsSeq(`R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q12 Q13 P13 P14 P16 P24 N4 N5`) {
		if len(proofs[row]) == 0 {
			t.Errorf("row %s has no test", row)
		}
		for _, proof := range proofs[row] {
			file, function, _ := strings.Cut(proof, " ")
			raw, err := os.ReadFile(filepath.Join("..", file))
			if err != nil || function != "" && !strings.Contains(string(raw), "\nfunc "+function+"(t *testing.T)") {
				t.Errorf("row %s: %s is not there: %v", row, proof, err)
			}
		}
	}
	rules, err := filepath.Glob("e2e/testdata/rules/*.yaml")
	if err != nil || len(rules) == 0 {
		t.Fatalf("got %v, %v, want rules", rules, err)
	}
	for _, rule := range rules {
		row, _, _ := strings.Cut(filepath.Base(rule), "-")
		if _, err := os.Stat(strings.TrimSuffix(rule, ".yaml") + ".golden"); err != nil || len(proofs[row]) == 0 {
			t.Errorf("%s: row %s, %v", rule, row, err)
		}
	}
}

// Of this row nothing but a sentence is promised.
func TestReadmeSaysThatContainersLimitNoScan(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil || !strings.Contains(string(readme), "whether a container runs somewhere never limits them") {
		t.Errorf("the README does not say it, %v", err)
	}
}
