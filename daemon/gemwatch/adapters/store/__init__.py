"""The database, SQLite or PostgreSQL: tables, migrations, claims, the outbox, and reads for commands and pages.

Called by `engine` through its ports, and by `app`, `web` and `cli` for reading. These modules write the tables:

    watches       watch_list, discovery/found, recording, claims (state, schedule), listings (schedule), runs (marks)
    details       details, called by recording after a changed answer
    transitions   recording
    runs          runs, called by recording after an end
    events        outbox
    deliveries    outbox, rerouting, housekeeping
    rules         discovery/rules, called by watch_list
    discovered    discovery/found
    groups        groups, called by recording, outbox, watch_list and discovery/found
    service       recording (notes), databases/refused_logins, schema (the oldest version that can use the store)
    leases        databases/leases
    replicas      databases/replicas
    all           housekeeping: deletes old rows, and moves the schedule after a clock jump

What the two databases spell differently is in dialects.py. Facts in `events` are written and read by facts_codec.
What commands, pages and metrics read is in reads/.
"""
