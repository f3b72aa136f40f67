"""The database: tables, migrations, claims, the outbox, and the reads for commands, pages and metrics.

Called by `engine` through its ports, and by `app`, `web` and `cli` for reading. Who writes which table:

    watches       watch_list (as configured), recording (state and schedule), listings (schedule), runs (marks)
    details       details, called by recording when an answer has changed
    transitions   recording
    runs          runs, called by recording when a job has ended
    events        outbox
    deliveries    outbox, rerouting, housekeeping
    service       recording (notes), schema (the oldest version that can use the store)
    all           housekeeping: what is old goes, and the schedule follows the clock

Facts in `events` are written and read by facts_codec. Reads are in reads/
"""
