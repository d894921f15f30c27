/* Improves the page where scripts run: everything but dropping pictures works without it. */
