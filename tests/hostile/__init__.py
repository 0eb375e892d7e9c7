"""Files made to do harm, or simply broken: each must load rightly or be refused in one sentence."""
