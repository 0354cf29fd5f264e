"""The statements of the acquirer's books."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  operation TEXT NOT NULL,
  charge_reference TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  amount INTEGER,
  currency TEXT,
  status TEXT NOT NULL CHECK (status IN ('processing', 'approved', 'declined')),
  settled INTEGER NOT NULL DEFAULT 0,
  fee INTEGER NOT NULL DEFAULT 0,
  answer TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS operations_by_day ON operations (created_at);
CREATE TABLE IF NOT EXISTS charges (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),
  refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
  canceled INTEGER NOT NULL,
  released INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS canceled_before_arrival (
  reference TEXT PRIMARY KEY
) STRICT;
CREATE TABLE IF NOT EXISTS sends (
  reference TEXT PRIMARY KEY,
  sends INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS disputes (
  id TEXT PRIMARY KEY,
  charge_reference TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  reason TEXT NOT NULL,
  respond_by TEXT NOT NULL,
  created TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  closed TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS disputes_of_charge ON disputes (charge_reference);
CREATE TABLE IF NOT EXISTS settlement_faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  day TEXT NOT NULL,
  fault TEXT NOT NULL,
  reference TEXT NOT NULL,
  operation TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS callbacks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  body TEXT NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0
) STRICT;
"""

COUNT_SEND = """
INSERT INTO sends (reference, sends) VALUES (?, 1)
ON CONFLICT (reference) DO UPDATE SET sends = sends + 1
RETURNING sends
"""
PUT_OPERATION = """
INSERT INTO operations
  (reference, operation, charge_reference, fingerprint, amount, currency,
   status, settled, fee, answer, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reference) DO UPDATE SET
  status = excluded.status, settled = excluded.settled, fee = excluded.fee,
  answer = excluded.answer, created_at = excluded.created_at
WHERE operations.status = 'processing'
"""
PUT_CHARGE = """
INSERT INTO charges
  (reference, amount, currency, payment_method, captured, refunded, canceled, released)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reference) DO UPDATE SET
  captured = excluded.captured, refunded = excluded.refunded, canceled = excluded.canceled,
  released = excluded.released
"""
PUT_DISPUTE = """
INSERT INTO disputes
  (id, charge_reference, amount, currency, reason, respond_by, created, status, closed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed = excluded.closed
"""
GET_DISPUTE = """
SELECT id, charge_reference, amount, currency, reason, respond_by, created, status
FROM disputes WHERE id = ?
"""
GET_OPERATION = "SELECT * FROM operations WHERE reference = ?"
# What a payer has back by a dispute, for now or for good.
DISPUTED = """
(SELECT coalesce(sum(amount), 0) FROM disputes
 WHERE charge_reference = charges.reference AND status <> 'won') AS disputed
"""
GET_CHARGE = "SELECT *, " + DISPUTED + " FROM charges WHERE reference = ?"  # noqa: S608 - our own text
LIST_CHARGES = (
    "SELECT charges.*, coalesce(sends.sends, 0) AS sends, "
    + DISPUTED
    + """
FROM charges LEFT JOIN sends USING (reference)
WHERE charges.sequence > ? ORDER BY charges.sequence LIMIT ?
"""
)
SETTLED_ON = """
SELECT o.sequence, o.reference, o.operation, o.charge_reference, c.currency, o.settled, o.fee,
  o.created_at
FROM operations AS o JOIN charges AS c ON c.reference = o.charge_reference
WHERE o.settled <> 0 AND o.created_at >= ?1 AND o.created_at < ?2
UNION ALL
SELECT rowid, id, 'dispute', charge_reference, currency, -amount, 0, created
FROM disputes WHERE created >= ?1 AND created < ?2
UNION ALL
SELECT rowid, id, 'dispute_won', charge_reference, currency, amount, 0, closed
FROM disputes WHERE status = 'won' AND closed >= ?1 AND closed < ?2
ORDER BY 8, 1
"""
COUNTS = """
SELECT operation, status, count(*) AS operations FROM operations
GROUP BY operation, status ORDER BY operation, status
"""
TOTALS = """
SELECT currency, count(*) AS charges, sum(amount) AS authorized, sum(captured) AS captured,
  sum(refunded) AS refunded, sum(CASE WHEN canceled THEN captured ELSE 0 END) AS reversed
FROM charges GROUP BY currency ORDER BY currency
"""
RESENT = "SELECT count(*) AS n, coalesce(max(sends), 0) AS most FROM sends WHERE sends > 1"
# An operation in progress when the process died never took effect.
FORGET_UNFINISHED = "DELETE FROM operations WHERE status = 'processing'"
PENDING_CALLBACKS = "SELECT id, body FROM callbacks WHERE NOT delivered ORDER BY id"
PLANT_FAULT = """
INSERT INTO settlement_faults (day, fault, reference, operation) VALUES (?, ?, ?, ?)
"""
FAULTS_OF = """
SELECT fault, reference, operation FROM settlement_faults WHERE day = ? ORDER BY id
"""
