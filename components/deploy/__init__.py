"""Deploy: test that the registered version answers requests as it did offline, make it the champion, bind the report."""
