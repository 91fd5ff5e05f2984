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
	SweepCreate       Point = "sweep.create"
	SweepCursor       Point = "sweep.cursor"
	SweepAnnounce     Point = "sweep.announce"  // publish: sweep.started, .completed, .failed, .cancelled
	SweepsAck         Point = "sweeps.ack"      // acknowledgement
	RematchPublish    Point = "rematch.publish" // publish: verdict.requested
	RematchReport     Point = "rematch.report"  // object: report
	RematchImage      Point = "rematch.image"
	RematchCompleted  Point = "rematch.completed" // publish: scan.completed
	RematchAck        Point = "rematch.ack"       // acknowledgement
	AdvisoryObject    Point = "advisory.object"   // object: compiled database
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
)

// All lists the points.
func All() []Point {
	return []Point{
		IngestPublish, ConfigRegistry, ConfigRule, ConfigToken, APICreate, APIRequest, APISweep, CancelJob, CancelRequest, CancelPublish,
		CronPublish, CronCursor,
		PlanPlace, PlanImage, PlanJob, PlanRequest, PlanCondition, PlanQueued, PlanWake, PlanAck, RequestsAck,
		PlaceChanged, PlaceGone, PlaceExpired, PlaceAnnounced,
		LayerClaim, LayerRenew, LayerObject, LayerRecord, LayerRelease, LayersAck,
		ScanClaim, ScanRenew, ScanStatus, ScanStarted, ScanInventory, ScanInventoried, ScanReport, ScanImage, ScanFinish, ScanRelease,
		ScanCompleted, ScanFailed, ScanDead, ScanAnnounced, ScanAck,
		SweepCreate, SweepCursor, SweepAnnounce, SweepsAck,
		RematchPublish, RematchReport, RematchImage, RematchCompleted, RematchAck,
		AdvisoryObject, AdvisoryRecord, AdvisoryPublish, AdvisoryAnnounced,
		LedgerRead, LedgerNeeded, LedgerKnown,
		KeeperWake, KeeperCheck, KeeperExpire, KeeperPlace, KeeperImage, KeeperJob, KeeperExpireJob, KeeperRequest, KeeperSweep, KeeperLayer, KeeperObject,
		ReportView, ReportAck, DeadPublish,
	}
}
