-- How long rows are kept, from `store.retention`. It counts from when a row arrived, not from event time:
-- loading an old log does not lose it.

ALTER TABLE {{database}}.{{local:access_events}} MODIFY TTL toDateTime(received_at) + toIntervalSecond({{retention.events}});
ALTER TABLE {{database}}.{{local:authorization_events}} MODIFY TTL toDateTime(received_at) + toIntervalSecond({{retention.events}});
ALTER TABLE {{database}}.{{local:token_states}} MODIFY TTL seen + toIntervalSecond({{retention.events}});
ALTER TABLE {{database}}.{{local:findings}} MODIFY TTL toDateTime(stored_at) + toIntervalSecond({{retention.alerts}});
ALTER TABLE {{database}}.{{local:alerts}} MODIFY TTL toDateTime(stored_at) + toIntervalSecond({{retention.alerts}});
ALTER TABLE {{database}}.{{local:alert_reviews}} MODIFY TTL toDateTime(at) + toIntervalSecond({{retention.alerts}});
ALTER TABLE {{database}}.{{local:actions}} MODIFY TTL toDateTime(updated_at) + toIntervalSecond({{retention.alerts}});
ALTER TABLE {{database}}.{{local:audit_log}} MODIFY TTL toDateTime(at) + toIntervalSecond({{retention.alerts}});
ALTER TABLE {{database}}.{{local:dead_letters}} MODIFY TTL toDateTime(received_at) + toIntervalSecond({{retention.dead_letters}});
ALTER TABLE {{database}}.{{local:token_custody}} MODIFY TTL toDateTime(expires_at);
ALTER TABLE {{database}}.{{local:detector_state}} MODIFY TTL toDateTime(expires_at);
-- What is known of an alert, or of a dead letter, outlives it: or it would be sent, or handed over, a second time.
ALTER TABLE {{database}}.{{local:alert_deliveries}} MODIFY TTL toDateTime(at) + toIntervalSecond({{retention.alerts}}) + toIntervalDay(30);
ALTER TABLE {{database}}.{{local:dead_letter_outcomes}} MODIFY TTL toDateTime(at) + toIntervalSecond({{retention.dead_letters}}) + toIntervalDay(30);
