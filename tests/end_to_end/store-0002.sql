-- A store as the version with schema 0002 made it, without rows.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE deliveries (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	event_id BIGINT NOT NULL, 
	target TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	expires_at BIGINT NOT NULL, 
	due_at BIGINT, 
	claim BIGINT, 
	sent_at BIGINT, 
	last_error TEXT, 
	CONSTRAINT fk_deliveries_event_id_events FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE, 
	CONSTRAINT uq_deliveries_event_id_target UNIQUE (event_id, target)
);
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	job_id BIGINT, 
	facts JSON NOT NULL, 
	CONSTRAINT fk_events_job_id_watches FOREIGN KEY(job_id) REFERENCES watches (job_id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	status TEXT NOT NULL, 
	storage_id TEXT, 
	input_filename TEXT, 
	job_type TEXT, 
	overture_release TEXT, 
	orbis_version TEXT, 
	requested_at BIGINT, 
	queued BIGINT, 
	ran BIGINT, 
	confidence_threshold INTEGER, 
	kilometres FLOAT, 
	roads INTEGER, 
	matched FLOAT, 
	fully_matched FLOAT, 
	partially_matched FLOAT, 
	unmatched FLOAT, 
	CONSTRAINT fk_runs_job_id_watches FOREIGN KEY(job_id) REFERENCES watches (job_id) ON DELETE CASCADE
);
CREATE TABLE service (
	name TEXT NOT NULL, 
	value JSON, 
	CONSTRAINT pk_service PRIMARY KEY (name)
);
CREATE TABLE transitions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id BIGINT NOT NULL, 
	"before" TEXT, 
	"after" TEXT NOT NULL, 
	last_seen_before BIGINT, 
	observed_at BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	CONSTRAINT fk_transitions_job_id_watches FOREIGN KEY(job_id) REFERENCES watches (job_id) ON DELETE CASCADE
);
CREATE TABLE watches (
	job_id BIGINT NOT NULL, 
	watched BOOLEAN NOT NULL, 
	unwatched_at BIGINT, 
	name TEXT, 
	notify JSON, 
	every BIGINT NOT NULL, 
	status TEXT, 
	status_since BIGINT, 
	seen_at BIGINT, 
	running_since BIGINT, 
	misses INTEGER DEFAULT '0' NOT NULL, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	refused_at BIGINT, 
	told_missing BOOLEAN DEFAULT 0 NOT NULL, 
	told_refused BOOLEAN DEFAULT 0 NOT NULL, 
	last_error TEXT, 
	document TEXT, 
	polled_at BIGINT, 
	due_at BIGINT, 
	claim BIGINT, limits JSON, gate JSON, told_limits TEXT, clock_at BIGINT, last_end BIGINT, job_type TEXT, needs_look JSON, 
	CONSTRAINT pk_watches PRIMARY KEY (job_id)
);
CREATE INDEX ix_watches_due_at ON watches (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_events_job_id ON events (job_id);
CREATE INDEX ix_transitions_job_id_id ON transitions (job_id, id);
CREATE INDEX ix_deliveries_state ON deliveries (state);
CREATE INDEX ix_deliveries_target_due_at ON deliveries (target, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_runs_job_id ON runs (job_id);
CREATE INDEX ix_runs_job_type ON runs (job_type);
CREATE INDEX ix_runs_storage_id_input_filename_job_type ON runs (storage_id, input_filename, job_type);
COMMIT;
