"""One statement that gives each line its transfer and its verdict, whichever lines they are.

It is put together of what the lines are, what is found of each, what the line should say, and
what that makes of it.
"""

# The lines that are to be explained: a file's, or those of the gateway that still wait.
OF_THE_FILE = """
    SELECT %(gateway)s AS gateway, %(sha256)s::BYTEA AS file_sha256, l.position, l.line_id,
        l.reference, l.gateway_reference, l.operation, %(mode)s AS mode, l.currency, l.gross,
        l.fee, l.net, l.occurred_at, l.payout_reference, l.payout_on, NULL AS was,
        %(day)s::DATE AS day, %(now)s::TIMESTAMPTZ AS came_at,
        1 + CASE WHEN again.line_id IS NULL THEN 0 ELSE (
            SELECT count(*) FROM incoming_lines AS o
            WHERE o.line_id = l.line_id AND o.position < l.position
        ) END <= (
            SELECT count(*) FROM gateway_lines AS e
            WHERE e.gateway = %(gateway)s AND e.line_id = l.line_id AND e.verdict <> 'repeated'
                AND (e.operation, e.currency, e.gross, e.fee)
                = (l.operation, l.currency, l.gross, l.fee)
        ) AS is_repeated,
        coalesce(l.position > twice.first, FALSE) OR EXISTS (
            SELECT FROM gateway_lines AS e
            WHERE e.gateway = %(gateway)s AND e.reference = l.reference
                AND e.operation = l.operation AND e.verdict <> 'repeated'
        ) AS is_double
    FROM incoming_lines AS l
    LEFT JOIN (
        SELECT line_id FROM incoming_lines GROUP BY line_id HAVING count(*) > 1
    ) AS again ON again.line_id = l.line_id
    LEFT JOIN (
        SELECT reference, operation, min(position) AS first FROM incoming_lines
        GROUP BY reference, operation HAVING count(*) > 1
    ) AS twice ON twice.reference = l.reference AND twice.operation = l.operation
"""
THAT_WAIT = """
    SELECT l.gateway, l.file_sha256, l.position, l.line_id, l.reference, l.gateway_reference,
        l.operation, l.mode, l.currency, l.gross, l.fee, l.net, l.occurred_at,
        l.payout_reference, l.payout_on, l.verdict AS was, f.day, f.processed_at AS came_at,
        FALSE AS is_repeated, FALSE AS is_double
    -- By the index of these few, whatever the planner thinks of a gateway's many.
    FROM (
        SELECT * FROM gateway_lines
        WHERE gateway = %(gateway)s AND verdict IN ('waiting', 'extra') OFFSET 0
    ) AS l
    INNER JOIN gateway_files AS f ON f.gateway = l.gateway AND f.sha256 = l.file_sha256
    WHERE f.processed_at > %(now)s - INTERVAL '1 year'
"""

# Each line with the transfer that it is about. Captures are numbered as the parts of the
# payment's hold are: there is one at a time. What a late approval took goes back by a refund, a
# cancel of its own, or the technical cancel that came before it was known.
FOUND = """
    SELECT l.*, a.id AS attempt_id, a.operation AS asked, a.outcome, a.amount AS asked_amount,
        a.currency AS asked_currency, coalesce(a.payment_id, d.payment_id) AS payment_id,
        d.id AS dispute_id,
        CASE WHEN a.operation = 'cancel' THEN a.operation_id ELSE a.id END AS pair,
        CASE WHEN l.operation <> 'refund_failure' THEN coalesce(
            late.transfer_id, back.reversal_id, undone.reversal_id, part.id, returned.id, moved.id
        ) END AS found_id
    FROM lines AS l
    LEFT JOIN attempts AS a ON a.reference = l.reference AND a.gateway = l.gateway
    LEFT JOIN transactions AS p ON p.id = a.payment_id AND a.operation IN ('charge', 'capture')
    LEFT JOIN late_approvals AS late ON late.attempt_id = a.id
    LEFT JOIN late_approvals AS back
        ON back.id = a.operation_id AND a.operation IN ('refund', 'cancel')
    LEFT JOIN late_approvals AS undone
        ON undone.attempt_id = a.operation_id AND a.operation = 'cancel'
    LEFT JOIN transfers AS part
        ON part.pending_id = p.transfer_id AND part.state = 'post' AND a.outcome = 'APPROVED'
        AND part.part = CASE a.operation WHEN 'charge' THEN 1 ELSE (
            SELECT count(*) FROM attempts AS c
            WHERE c.payment_id = a.payment_id AND c.operation = 'capture'
                AND c.outcome = 'APPROVED' AND c.id <= a.id
        ) END
    LEFT JOIN refunds AS r ON r.id = a.operation_id AND a.operation = 'refund'
    LEFT JOIN transfers AS returned
        ON returned.pending_id = r.transfer_id AND returned.state = 'post'
    LEFT JOIN disputes AS d
        ON d.gateway = l.gateway AND d.gateway_reference = l.gateway_reference
        AND l.operation IN ('dispute', 'dispute_won')
    LEFT JOIN transfers AS moved
        ON moved.transaction_id = d.payment_id AND moved.kind::TEXT = l.operation
        AND moved.object_id = public_id('dp', d.id)
"""
# Of few lines there are several about one thing: they are counted apart, and no million rows are
# sorted for them. With what is given up at once, a charge's lines are one; a pair is a charge and
# its cancel, or a refund and its failure.
TOGETHER = """
    SELECT attempt_id, sum(gross)::BIGINT AS said, sum(fee)::BIGINT AS said_fee FROM found
    WHERE NOT is_repeated AND NOT is_double AND operation IN ('charge', 'capture', 'release')
    GROUP BY attempt_id HAVING bool_or(operation = 'release')
"""
COUPLES = """
    SELECT pair FROM found
    WHERE found_id IS NULL AND pair IS NOT NULL AND NOT is_repeated AND NOT is_double
    GROUP BY pair HAVING count(*) = 2 AND sum(gross) = 0
"""
CLAIMED = """
    SELECT DISTINCT ON (found_id) found_id, came_at, position FROM found
    WHERE found_id IN (
        SELECT found_id FROM found
        WHERE operation <> 'release' AND NOT is_repeated AND NOT is_double
        GROUP BY found_id HAVING count(*) > 1
    ) AND operation <> 'release' AND NOT is_repeated AND NOT is_double
    ORDER BY found_id, came_at, position
"""
# What the line should say, and with the others what it says in all.
RATED = """
    SELECT f.*, t.currency AS booked_currency,
        coalesce(
            gateway_movement(t.kind, t.amount),
            CASE WHEN f.asked IN ('charge', 'capture') THEN f.asked_amount
                ELSE -f.asked_amount END
        ) AS expected,
        CASE WHEN s.attempt_id IS NULL OR f.is_repeated OR f.is_double
            OR f.operation NOT IN ('charge', 'capture') THEN f.gross ELSE s.said END AS said,
        CASE WHEN s.attempt_id IS NULL OR f.is_repeated OR f.is_double
            OR f.operation NOT IN ('charge', 'capture') THEN f.fee ELSE s.said_fee END AS said_fee,
        c.pair IS NOT NULL AND f.found_id IS NULL AS is_offset,
        f.found_id IS NOT NULL AND f.operation <> 'release' AND (
            coalesce((f.came_at, f.position) > (m.came_at, m.position), FALSE)
            OR EXISTS (
                SELECT FROM gateway_lines AS e
                WHERE e.transfer_id = f.found_id AND e.operation <> 'release'
            )
        ) AS is_taken
    FROM found AS f
    LEFT JOIN transfers AS t ON t.id = f.found_id
    LEFT JOIN together AS s ON s.attempt_id = f.attempt_id
    LEFT JOIN couples AS c ON c.pair = f.pair
    LEFT JOIN claimed AS m ON m.found_id = f.found_id
"""
JUDGED = """
    SELECT r.*, CASE
            WHEN r.operation IN ('charge', 'capture') THEN
                round(r.said * g.basis_points / 10000.0)::BIGINT + g.fixed_minor
            WHEN r.operation IN ('refund', 'cancel') THEN 0
        END AS expected_fee, g.tolerance_minor
    FROM rated AS r
    LEFT JOIN gateway_fees AS g ON g.gateway = r.gateway AND g.currency = r.currency
"""
# Waiting ends, too: what a gateway told of and nobody has booked for days is nothing we know of.
VERDICT = """
    CASE
        WHEN is_repeated THEN 'repeated'
        WHEN operation IN ('cost', 'payout') THEN operation
        WHEN is_double OR is_taken THEN 'duplicate'
        WHEN found_id IS NOT NULL AND booked_currency <> currency THEN 'currency'
        WHEN found_id IS NOT NULL AND operation = 'release' THEN 'matched'
        WHEN found_id IS NOT NULL AND said <> expected THEN 'amount'
        WHEN found_id IS NOT NULL AND (
            was = 'extra' OR (occurred_at AT TIME ZONE 'UTC')::DATE <> day
        ) THEN 'timing'
        WHEN found_id IS NOT NULL AND abs(said_fee - expected_fee) > tolerance_minor THEN 'fee'
        WHEN found_id IS NOT NULL THEN 'matched'
        WHEN is_offset THEN 'offset'
        WHEN was = 'extra' THEN 'extra'
        WHEN attempt_id IS NULL AND operation NOT IN ('dispute', 'dispute_won') THEN 'extra'
        WHEN operation = 'refund_failure' THEN 'extra'
        WHEN asked_currency <> currency THEN 'currency'
        WHEN said <> expected AND operation <> 'release' THEN 'amount'
        WHEN came_at < %(waited_since)s::TIMESTAMPTZ THEN 'extra'
        WHEN %(is_asked)s AND asked IN ('capture', 'refund')
            AND outcome IN ('DECLINED', 'NOT_SENT') THEN 'extra'
        ELSE 'waiting'
    END
"""
EXPLAIN = """
CREATE TEMPORARY TABLE explained_lines ON COMMIT DROP AS
WITH lines AS ({lines}), found AS MATERIALIZED ({found}), together AS ({together}),
    couples AS ({couples}), claimed AS ({claimed}), rated AS ({rated}), judged AS ({judged})
SELECT j.*, {verdict} AS verdict FROM judged AS j
"""
_PARTS = {
    "found": FOUND,
    "together": TOGETHER,
    "couples": COUPLES,
    "claimed": CLAIMED,
    "rated": RATED,
    "judged": JUDGED,
    "verdict": VERDICT,
}
SQL_EXPLAIN_FILE = EXPLAIN.format(lines=OF_THE_FILE, **_PARTS)
SQL_EXPLAIN_WAITING = EXPLAIN.format(lines=THAT_WAIT, **_PARTS)
