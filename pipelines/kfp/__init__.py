"""What a KFP server holds, brought to what git says: pipelines, versions, schedules; and runs started, watched and explained."""
