"""The database: tables, migrations, claims, the outbox, and reads for commands, pages and metrics.

Called by `engine` through its ports, and by `app`, `web` and `cli` for reading. These modules write the tables:

    watches       watch_list (as configured), recording (state and schedule), listings (schedule), runs (marks)
    details       details, called by recording after a changed answer
    transitions   recording
    runs          runs, called by recording after an end
    events        outbox
    deliveries    outbox, rerouting, housekeeping
    service       recording (notes), schema (the oldest version that can use the store)
    all           housekeeping: deletes old rows, and moves the schedule after a clock jump

Facts in `events` are written and read by facts_codec. What commands, pages and metrics read is in reads/.
"""
