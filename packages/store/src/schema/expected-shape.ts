import type { SchemaShape } from './read-shape.ts'

// Made from the migrations: UPDATE_SHAPE=1 with test/doctor.test.ts writes it anew, and that test holds it to them.
export const EXPECTED_SHAPE: SchemaShape = {
  audit: {
    persistence: 'permanent',
    columns: {
      id: 'bigint not null generated always as identity (cache 1)',
      at: 'timestamp with time zone not null default clock_timestamp()',
      actor: 'text not null',
      action: 'text not null',
      event_id: 'uuid',
      consumer: 'text',
      note: 'text',
      details: 'json'
    },
    indexes: {
      audit_event: 'CREATE INDEX audit_event ON audit USING btree (event_id) WHERE (event_id IS NOT NULL)'
    },
    constraints: {
      audit_pkey: 'PRIMARY KEY (id)'
    },
    storage: {}
  },
  event: {
    persistence: 'permanent',
    columns: {
      id: 'uuid not null',
      seq: 'bigint not null generated always as identity (cache 1)',
      lane: 'smallint not null',
      source: 'text not null',
      type: 'text not null',
      topic: 'text not null',
      key: 'text not null',
      dataversion: 'text',
      payload: 'json not null',
      headers: 'json not null',
      status: "text not null default 'NEW'::text",
      due: 'boolean not null default true',
      replay: 'boolean not null default false',
      count: 'integer not null default 0',
      max_sends: 'integer not null',
      awaits_from: 'text',
      reply_to: 'text',
      confirm_within_ms: 'integer',
      resend_backoff: 'real',
      deadline: 'timestamp with time zone',
      give_up_at: 'timestamp with time zone',
      causation_id: 'uuid',
      correlation_id: 'text not null',
      is_answer: 'boolean not null default false',
      created_at: 'timestamp with time zone not null default clock_timestamp()',
      published_at: 'timestamp with time zone',
      last_sent_at: 'timestamp with time zone',
      confirmed_at: 'timestamp with time zone',
      confirmed_by: 'uuid',
      updated_at: 'timestamp with time zone not null default clock_timestamp()',
      park_reason: 'text',
      last_error: 'text',
      supersedes: 'uuid',
      superseded_by: 'uuid',
      failing_since: 'timestamp with time zone',
      topic_unavailable_since: 'timestamp with time zone',
      awaits_receipt: 'boolean',
      reacted_to: 'text',
      reacted_at: 'timestamp with time zone',
      erased_at: 'timestamp with time zone',
      erased_hash: 'text'
    },
    indexes: {
      event_awaiting:
        "CREATE INDEX event_awaiting ON event USING btree (deadline) WHERE ((status = 'PUBLISHED'::text) AND (deadline IS NOT NULL))",
      event_caused: 'CREATE INDEX event_caused ON event USING btree (causation_id) WHERE (causation_id IS NOT NULL)',
      event_due: 'CREATE INDEX event_due ON event USING btree (topic, seq) WHERE (due AND (NOT replay))',
      event_failing:
        'CREATE INDEX event_failing ON event USING btree (topic, failing_since) WHERE (failing_since IS NOT NULL)',
      event_late:
        "CREATE INDEX event_late ON event USING btree (topic, deadline) WHERE ((status = 'PUBLISHED'::text) AND (NOT due) AND (deadline IS NOT NULL) AND (count < max_sends))",
      event_parked: "CREATE INDEX event_parked ON event USING btree (id) WHERE (status = 'PARKED'::text)",
      event_replaying: 'CREATE INDEX event_replaying ON event USING btree (topic, seq) WHERE (due AND replay)',
      event_resending:
        "CREATE INDEX event_resending ON event USING btree (topic, give_up_at) WHERE (due AND (count > 0) AND (NOT replay) AND (status = ANY (ARRAY['PUBLISHED'::text, 'PARKED'::text])))",
      event_unreacted:
        "CREATE INDEX event_unreacted ON event USING btree (type, id) WHERE ((status = ANY (ARRAY['PARKED'::text, 'RESOLVED'::text])) AND (awaits_from IS NOT NULL) AND (reacted_to IS DISTINCT FROM ((status || ' '::text) || COALESCE(park_reason, ''::text))))",
      event_used_up:
        "CREATE INDEX event_used_up ON event USING btree (deadline) WHERE ((status = 'PUBLISHED'::text) AND (NOT due) AND (deadline IS NOT NULL) AND (count >= max_sends))"
    },
    constraints: {
      event_pkey: 'PRIMARY KEY (id)',
      event_status:
        "CHECK ((status = ANY (ARRAY['NEW'::text, 'PUBLISHED'::text, 'CONFIRMED'::text, 'PARKED'::text, 'RESOLVED'::text])))"
    },
    storage: {
      fillfactor: '70',
      autovacuum_vacuum_scale_factor: '0.01',
      autovacuum_vacuum_threshold: '1000',
      autovacuum_vacuum_cost_delay: '0'
    }
  },
  idempotency: {
    persistence: 'permanent',
    columns: {
      scope: 'text not null',
      key: 'text not null',
      fingerprint: 'text not null',
      status: 'smallint',
      headers: 'json',
      body: 'bytea',
      created_at: 'timestamp with time zone not null default clock_timestamp()',
      expires_at: 'timestamp with time zone not null'
    },
    indexes: {
      idempotency_expiry: 'CREATE INDEX idempotency_expiry ON idempotency USING btree (expires_at)'
    },
    constraints: {
      idempotency_pkey: 'PRIMARY KEY (scope, key)'
    },
    storage: {}
  },
  inbox: {
    persistence: 'permanent',
    columns: {
      consumer: 'text not null',
      event_id: 'uuid not null',
      arrival: 'bigint not null generated always as identity (cache 1)',
      state: 'text not null',
      key: 'text not null',
      topic: 'text not null',
      position: 'text not null',
      source: 'text not null',
      type: 'text not null',
      reply_to: 'text',
      causation_id: 'uuid',
      correlation_id: 'text',
      envelope: 'json not null',
      outcome: 'smallint not null default 200',
      attempts: 'integer not null default 0',
      due_at: 'timestamp with time zone',
      body: 'bytea',
      error: 'json',
      replay_id: 'uuid',
      received_at: 'timestamp with time zone not null default clock_timestamp()',
      updated_at: 'timestamp with time zone not null default clock_timestamp()',
      logged_at: 'timestamp with time zone',
      erased_at: 'timestamp with time zone',
      erased_hash: 'text'
    },
    indexes: {
      inbox_stopped:
        "CREATE INDEX inbox_stopped ON inbox USING btree (event_id) WHERE (state = ANY (ARRAY['HELD'::text, 'REFUSED'::text]))",
      inbox_unfinished:
        "CREATE INDEX inbox_unfinished ON inbox USING btree (consumer, topic, key, arrival) WHERE (state = ANY (ARRAY['RETRY'::text, 'BLOCKED'::text, 'UNKNOWN'::text, 'HELD'::text]))"
    },
    constraints: {
      inbox_pkey: 'PRIMARY KEY (consumer, event_id)',
      inbox_state:
        "CHECK ((state = ANY (ARRAY['DONE'::text, 'RETRY'::text, 'BLOCKED'::text, 'UNKNOWN'::text, 'HELD'::text, 'REFUSED'::text])))"
    },
    storage: {
      fillfactor: '90',
      autovacuum_vacuum_scale_factor: '0.02',
      autovacuum_vacuum_threshold: '1000'
    }
  },
  migration: {
    persistence: 'permanent',
    columns: {
      version: 'integer not null',
      name: 'text not null',
      applied_at: 'timestamp with time zone not null default clock_timestamp()',
      compatible_from: 'integer'
    },
    indexes: {},
    constraints: {
      migration_pkey: 'PRIMARY KEY (version)'
    },
    storage: {}
  },
  relay: {
    persistence: 'permanent',
    columns: {
      id: 'uuid not null',
      seen_at: 'timestamp with time zone not null default clock_timestamp()'
    },
    indexes: {},
    constraints: {
      relay_pkey: 'PRIMARY KEY (id)'
    },
    storage: {}
  },
  replay: {
    persistence: 'permanent',
    columns: {
      id: 'uuid not null',
      consumer: 'text not null',
      from_time: 'timestamp with time zone not null',
      until_time: 'timestamp with time zone not null',
      resend_answers: 'boolean not null default false',
      requested_by: 'text not null',
      requested_at: 'timestamp with time zone not null default clock_timestamp()',
      stopped_at: 'timestamp with time zone',
      answers: 'text',
      total: 'integer not null default 0',
      missing: 'integer',
      log_from: 'timestamp with time zone',
      pass: 'integer not null default 0',
      pass_at: 'timestamp with time zone',
      pass_end: 'text',
      ended_at: 'timestamp with time zone'
    },
    indexes: {},
    constraints: {
      replay_answers: "CHECK ((answers = ANY (ARRAY['none'::text, 'stored'::text, 'corrected'::text])))",
      replay_pkey: 'PRIMARY KEY (id)'
    },
    storage: {}
  },
  replay_item: {
    persistence: 'permanent',
    columns: {
      replay_id: 'uuid not null',
      event_id: 'uuid not null',
      state: 'text not null',
      error: 'json',
      at: 'timestamp with time zone not null default clock_timestamp()'
    },
    indexes: {
      replay_item_event: 'CREATE INDEX replay_item_event ON replay_item USING btree (event_id)'
    },
    constraints: {
      replay_item_pkey: 'PRIMARY KEY (replay_id, event_id)',
      replay_item_state: "CHECK ((state = ANY (ARRAY['DONE'::text, 'FAILED'::text])))"
    },
    storage: {}
  }
}
