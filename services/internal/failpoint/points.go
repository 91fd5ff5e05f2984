package failpoint

// The points, by service and step. Records unless the comment says otherwise.
const (
	IngestPublish Point = "ingest.publish" // publish: the registry's fact

	ConfigRegistry    Point = "config.registry"
	ConfigRule        Point = "config.rule"
	ConfigToken       Point = "config.token"
	APICreate         Point = "api.create"
	APIRequest        Point = "api.request" // publish: image.requested
	APISweep          Point = "api.sweep"   // publish: sweep.requested
	SweepOrder        Point = "sweep.order" // record: a user asks for a sweep
	SweepCancel       Point = "sweep.cancel"
	SweepRestart      Point = "sweep.restart"
	SweepDelete       Point = "sweep.delete"
	SweepForget       Point = "sweep.forget" // record: a job forgets a sweep that was deleted
	CancelJob         Point = "cancel.job"
	CancelRequest     Point = "cancel.request"
	CancelPublish     Point = "cancel.publish" // publish: scan.requested of a cancelled job, and scan.cancelled
	CronPublish       Point = "cron.publish"   // publish: sweep.requested
	CronCursor        Point = "cron.cursor"
	PlanPlace         Point = "plan.place"
	PlanImage         Point = "plan.image"
	PlanJob           Point = "plan.job"
	PlanRequest       Point = "plan.request"
	PlanCondition     Point = "plan.condition"
	PlanQueued        Point = "plan.queued"   // publish: scan.queued
	PlaceChanged      Point = "place.changed" // publish: image.changed
	PlaceGone         Point = "place.gone"    // publish: image.gone
	PlaceExpired      Point = "place.expired" // publish: image.expired
	PlaceAnnounced    Point = "place.announced"
	PlanWake          Point = "plan.wake"    // publish: scan.requested
	PlanAck           Point = "plan.ack"     // acknowledgement
	RequestsAck       Point = "requests.ack" // acknowledgement
	LayerClaim        Point = "layer.claim"
	LayerRenew        Point = "layer.renew"
	LayerObject       Point = "layer.object" // object: layer inventory
	LayerRecord       Point = "layer.record"
	LayerRelease      Point = "layer.release"
	LayersAck         Point = "layers.ack" // acknowledgement
	ScanClaim         Point = "scan.claim"
	ScanRenew         Point = "scan.renew"
	ScanStatus        Point = "scan.status"
	ScanStarted       Point = "scan.started"     // publish
	ScanInventory     Point = "scan.inventory"   // object: image inventory
	ScanInventoried   Point = "scan.inventoried" // publish
	ScanReport        Point = "scan.report"      // object: report
	ScanImage         Point = "scan.image"
	ScanFinish        Point = "scan.finish"
	ScanRelease       Point = "scan.release"   // record: given back to be tried again
	ScanCompleted     Point = "scan.completed" // publish
	ScanFailed        Point = "scan.failed"    // publish
	ScanDead          Point = "scan.dead"      // publish: the wake-up of a job that was tried too often
	ScanAnnounced     Point = "scan.announced"
	ScanAck           Point = "scan.ack" // acknowledgement
	RegistryBudget    Point = "registry.budget"
	TrialAsk          Point = "trial.ask"
	TrialStep         Point = "trial.step"
	SweepCreate       Point = "sweep.create"
	SweepCursor       Point = "sweep.cursor"
	SweepListed       Point = "sweep.listed"
	SweepWake         Point = "sweep.wake"       // publish: sweep.requested of a sweep whose turn is over
	WorkerSign        Point = "worker.sign"      // record: a sign of life
	SweepAnnounce     Point = "sweep.announce"   // publish: sweep.started, .completed, .failed, .cancelled
	SweepsAck         Point = "sweeps.ack"       // acknowledgement
	FindingsPublish   Point = "findings.publish" // publish: findings.changed
	FindingsTold      Point = "findings.told"    // record: the image's verdict was announced
	RematchPublish    Point = "rematch.publish"  // publish: verdict.requested
	RematchAdvance    Point = "rematch.advance"  // record: a verdict that a new database leaves as it is
	RematchReport     Point = "rematch.report"   // object: report
	RematchImage      Point = "rematch.image"
	RematchCompleted  Point = "rematch.completed" // publish: scan.completed
	RematchAck        Point = "rematch.ack"       // acknowledgement
	AdvisoryObject    Point = "advisory.object"   // object: compiled database
	AdvisoryChanges   Point = "advisory.changes"  // object: what differs from the database before
	AdvisoryUpdate    Point = "advisory.update"   // record: what became of the last look at the source
	AdvisoryReplica   Point = "advisory.replica"  // record: which database a worker has in use
	APIAdvisories     Point = "api.advisories"    // record: an update is asked for
	AdvisoryRecord    Point = "advisory.record"
	AdvisoryAnnounced Point = "advisory.announced"
	AdvisoryPublish   Point = "advisory.publish" // publish: advisories.updated
	LedgerRead        Point = "ledger.read"
	LedgerNeeded      Point = "ledger.needed"
	LedgerKnown       Point = "ledger.known"
	KeeperWake        Point = "keeper.wake" // publish: scan.requested
	KeeperCheck       Point = "keeper.check"
	KeeperExpire      Point = "keeper.expire"
	KeeperPlace       Point = "keeper.place"
	KeeperImage       Point = "keeper.image"
	KeeperJob         Point = "keeper.job"
	KeeperExpireJob   Point = "keeper.expire-job"
	KeeperRequest     Point = "keeper.request"
	KeeperSweep       Point = "keeper.sweep"
	KeeperLayer       Point = "keeper.layer"
	KeeperObject      Point = "keeper.object" // object: removal of what no record names
	ReportView        Point = "report.view"   // Redis
	ReportAck         Point = "report.ack"    // acknowledgement
	DeadPublish       Point = "dead.publish"  // publish: a dead letter
	DeadJob           Point = "dead.job"      // record: a failed job whose wake-up is replayed
	DeadReplay        Point = "dead.replay"   // publish: what a dead letter holds
	DeadRemove        Point = "dead.remove"   // removal of a dead letter that was replayed
	ReplayAck         Point = "replay.ack"    // acknowledgement
)

// All lists the points.
func All() []Point {
	return []Point{
		IngestPublish, ConfigRegistry, ConfigRule, ConfigToken, APICreate, APIRequest, APISweep, CancelJob, CancelRequest, CancelPublish,
		SweepOrder, SweepCancel, SweepRestart, SweepDelete, SweepForget,
		CronPublish, CronCursor,
		PlanPlace, PlanImage, PlanJob, PlanRequest, PlanCondition, PlanQueued, PlanWake, PlanAck, RequestsAck,
		PlaceChanged, PlaceGone, PlaceExpired, PlaceAnnounced,
		LayerClaim, LayerRenew, LayerObject, LayerRecord, LayerRelease, LayersAck,
		ScanClaim, ScanRenew, ScanStatus, ScanStarted, ScanInventory, ScanInventoried, ScanReport, ScanImage, ScanFinish, ScanRelease,
		ScanCompleted, ScanFailed, ScanDead, ScanAnnounced, ScanAck,
		RegistryBudget, TrialAsk, TrialStep,
		SweepCreate, SweepCursor, SweepListed, SweepWake, SweepAnnounce, SweepsAck, WorkerSign,
		FindingsPublish, FindingsTold,
		RematchPublish, RematchAdvance, RematchReport, RematchImage, RematchCompleted, RematchAck,
		AdvisoryObject, AdvisoryChanges, AdvisoryUpdate, AdvisoryReplica, APIAdvisories, AdvisoryRecord, AdvisoryPublish, AdvisoryAnnounced,
		LedgerRead, LedgerNeeded, LedgerKnown,
		KeeperWake, KeeperCheck, KeeperExpire, KeeperPlace, KeeperImage, KeeperJob, KeeperExpireJob, KeeperRequest, KeeperSweep, KeeperLayer, KeeperObject,
		ReportView, ReportAck, DeadPublish, DeadJob, DeadReplay, DeadRemove, ReplayAck,
	}
}
